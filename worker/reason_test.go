package worker

import (
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestReason(t *testing.T) {
	for _, test := range []struct{ message, want string }{
		{"engine: no such tensor", "engine: no such tensor"},
		{`connection error: desc = "transport: Error while dialing: dial tcp 10.0.0.7:7433: connect: connection refused"`,
			"dial tcp 10.0.0.7:7433: connect: connection refused"},
		{`connection error: desc = "error reading server preface: the device said: no worker answers in \"a b\""`,
			`the device said: no worker answers in "a b"`},
		{`node.a cannot reach node.b: connection error: desc = "transport: EOF" (tried 3 times)`, "node.a cannot reach node.b: EOF (tried 3 times)"},
		{`connection error: desc = "cut off`, `connection error: desc = "cut off`},
	} {
		if got := reason(status.Error(codes.Unavailable, test.message)).Error(); got != test.want {
			t.Errorf("reason of %s is %s, not %s", test.message, got, test.want)
		}
	}
	if plain := errors.New("no status"); reason(plain) != plain {
		t.Error("an error that is no status does not stay as it is")
	}
}

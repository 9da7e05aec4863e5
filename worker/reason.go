package worker

import (
	"errors"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// reason is an error without the frames that gRPC puts around it.
func reason(err error) error {
	if s, ok := status.FromError(err); ok && s.Code() != codes.OK {
		return errors.New(reasonText(s.Message()))
	}
	return err
}

// reasonText takes the frames of a connection from a message: gRPC quotes why a
// connection failed, and says in front which of its own steps met that.
func reasonText(message string) string {
	before, quoted, framed := strings.Cut(message, "connection error: desc = ")
	if !framed {
		return message
	}
	prefix, err := strconv.QuotedPrefix(quoted)
	if err != nil {
		return message
	}
	text, err := strconv.Unquote(prefix)
	if err != nil {
		return message
	}
	for _, frame := range []string{"transport: ", "Error while dialing: ", "error reading server preface: "} {
		text = strings.TrimPrefix(text, frame)
	}
	return before + text + quoted[len(prefix):]
}

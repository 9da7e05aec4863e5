package suggest

import "testing"

func TestSentence(t *testing.T) {
	many := []string{"a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "a10", "a11"}
	tests := []struct {
		given      string
		candidates []string
		want       string
	}{
		{"throughputt", []string{"latency", "throughput"}, "Did you mean throughput?"},
		{`node.pi["hal"]`, []string{`node.pi["gate"]`, `node.pi["hall"]`}, `Did you mean node.pi["hall"]?`},
		{"Hall", []string{"hall"}, "Did you mean hall?"},
		{"x", nil, "There is no output at all."},
		{"something", []string{"latency"}, "Choose from latency."},
		{"something", many, "There are 11, among them a1, a2, a3, a4, a5, a6, a7, a8, a9, a10."},
	}
	for _, test := range tests {
		if got := Sentence(test.given, test.candidates, "output"); got != test.want {
			t.Errorf("%s: got %q, want %q", test.given, got, test.want)
		}
	}
}

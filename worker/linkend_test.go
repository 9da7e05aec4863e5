package worker

import (
	"context"
	"testing"
)

// A stage whose engine hangs may come with a result after its link has ended: that is told,
// and what was queued before still goes.
func TestLinkThatHasEnded(t *testing.T) {
	l := &link{queue: make(chan *message, 2), gaps: make(chan struct{}, 1), ending: make(chan struct{})}
	for _, id := range []string{"a", "b"} {
		if err := l.put(context.Background(), &message{id: id}); err != nil {
			t.Fatal(err)
		}
	}
	close(l.ending)
	if err := l.put(context.Background(), &message{id: "late"}); err == nil {
		t.Error("a message that nobody sends was taken")
	}
	var sent string
	for m := range l.queued {
		sent += m.id
	}
	if sent != "ab" {
		t.Errorf("sent %q", sent)
	}
}

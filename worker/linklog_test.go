package worker

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// Workers start side by side without a warning, and a neighbour that goes away is one.
func TestNoWarningAtStart(t *testing.T) {
	c := newCluster(t, layout{stages: 2, gateway: 0}).start()
	client := c.client(0)
	if _, err := client.Infer(t.Context(), testModel, testRelease, request(8, 1)); err != nil {
		t.Fatal(err)
	}
	if log := c.log.String(); !strings.Contains(log, "waiting for the neighbour") || strings.Contains(log, "level=WARN") {
		t.Errorf("at the start:\n%s", log)
	}
	c.stopOne(1)
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(c.log.String(), `level=WARN msg="not connected"`); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no warning of a neighbour that went away:\n%s", c.log)
		}
	}
}

// A neighbour that does not come is warned of once its time is over, though the reason is
// the same, and a reason is told once.
func TestLinkTellsOnce(t *testing.T) {
	var log bytes.Buffer
	l := &link{log: slog.New(slog.NewTextHandler(&log, nil)), begun: time.Now()}
	lose := func(text string) {
		cause := errors.New(text)
		l.logLoss(cause)
		l.cause = cause
	}
	lose("refused")
	lose("refused")
	l.begun = l.begun.Add(-firstMeeting)
	lose("refused")
	lose("refused")
	lose("no route")
	l.met, l.warned, l.cause = true, false, nil
	lose("closed")
	lose("closed")
	var told []string
	for line := range strings.Lines(log.String()) {
		told = append(told, strings.TrimSpace(line[strings.Index(line, "level="):]))
	}
	want := []string{`level=INFO msg="waiting for the neighbour" reason=refused`, `level=WARN msg="not connected" error=refused`,
		`level=WARN msg="not connected" error="no route"`, `level=WARN msg="not connected" error=closed`}
	if strings.Join(told, "\n") != strings.Join(want, "\n") {
		t.Errorf("told:\n%s", strings.Join(told, "\n"))
	}
}

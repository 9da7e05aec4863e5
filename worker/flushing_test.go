package worker

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// lines counts what is printed.
type lines struct{ n atomic.Int64 }

func (l *lines) Write(p []byte) (int, error) {
	l.n.Add(1)
	return len(p), nil
}

// It is told of a flush only while one is under way and the system writes.
func TestTellsOfFlushes(t *testing.T) {
	for _, test := range []struct{ flushes, writes bool }{{true, true}, {true, false}, {false, true}} {
		var out lines
		var pages, looks atomic.Int64
		r := &receiving{out: &out}
		if test.flushes {
			r.flushes.Add(1)
		}
		stop := r.tellFlushing(time.Millisecond, func() string {
			looks.Add(1)
			if test.writes {
				pages.Add(1)
			}
			return strconv.FormatInt(pages.Load(), 10)
		})
		for end := time.Now().Add(time.Minute); looks.Load() < 5 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		stop()
		if told := out.n.Load() > 0; told != (test.flushes && test.writes) {
			t.Errorf("a flush is under way: %v, the system writes: %v, and it is told: %v", test.flushes, test.writes, told)
		}
	}
	if pagesWritten() == "" {
		t.Error("the system does not tell how many pages it has written")
	}
}

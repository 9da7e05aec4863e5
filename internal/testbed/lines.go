package testbed

import (
	"bufio"
	"fmt"
	"io"
	"time"
)

// lineReader gives the lines of a process that ought to answer soon.
type lineReader struct{ lines chan string }

func newLineReader(r io.Reader) *lineReader {
	l := &lineReader{make(chan string, 64)}
	go func() {
		defer close(l.lines)
		for scanner := bufio.NewScanner(r); scanner.Scan(); {
			l.lines <- scanner.Text()
		}
	}()
	return l
}

// answerTime is what a device may take for anything that is asked of it here.
const answerTime = 30 * time.Second

func (l *lineReader) next() (string, error) {
	select {
	case line, ok := <-l.lines:
		if !ok {
			return "", io.ErrUnexpectedEOF
		}
		return line, nil
	case <-time.After(answerTime):
		return "", fmt.Errorf("no answer within %s", answerTime)
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// The events of watch (docs/watch.md).
const (
	eventStart     = "start"
	eventStop      = "stop"
	eventAway      = "away"       // a device does not answer
	eventIll       = "ill"        // a device answers, and its worker is not as it should be
	eventBack      = "back"       // a device is well again
	eventWaiting   = "waiting"    // nothing is done, and why
	eventPending   = "pending"    // the configuration asks for what is not deployed
	eventReady     = "ready"      // it no longer does
	eventMeasuring = "measuring"  // links are being measured
	eventMeasured  = "measured"   // they were, and what has changed
	eventProposed  = "proposed"   // a plan for somebody to carry out
	eventApplying  = "applying"   // a plan is being carried out
	eventApplied   = "applied"    // it was
	eventUnchanged = "unchanged"  // a plan had nothing to do
	eventFailed    = "failed"     // there is no plan, or it could not be carried out
	eventTaken     = "taken"      // somebody else has changed the state
	eventStateLost = "state-lost" // the state cannot be read
	eventStateBack = "state-back"
)

// event is one line of the log.
type event struct {
	Time        time.Time `json:"time"` // UTC
	Event       string    `json:"event"`
	Node        string    `json:"node,omitempty"`
	Message     string    `json:"message"`
	Excluded    []string  `json:"excluded,omitempty"`
	Serial      uint64    `json:"serial,omitempty"`
	UploadBytes int64     `json:"upload_bytes,omitempty"`
	Seconds     float64   `json:"seconds,omitempty"`
}

// tell shows an event and appends it to the log.
func (w *watch) tell(e event) {
	e.Time = time.Now().UTC()
	w.metrics.count(e.Event)
	w.notef("%s %s: %s", e.Time.Local().Format(time.TimeOnly), e.Event, e.Message)
	if err := w.journal.append(e); err != nil {
		w.warnf("%v", err)
	}
}

// maxJournal is the size at which the log of events is put aside; tests change it.
var maxJournal int64 = 10 << 20

// journal is the log of events: a file that grows up to a bound, and the one before.
type journal struct {
	mu      sync.Mutex
	path    string // "" for none
	file    *os.File
	secrets *redactor
}

// openJournal opens the file for its owner alone.
func openJournal(c *cli, path string) (*journal, error) {
	j := &journal{path: path, secrets: c.secrets}
	if path == "" {
		return j, nil
	}
	return j, j.open()
}

func (j *journal) open() error {
	// A pipe that nobody reads is refused, and not waited for.
	file, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return fmt.Errorf("-log: %w", err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", j.path)
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = file.Chmod(0o600) // it was there before
	}
	if err != nil {
		return fmt.Errorf("-log: %w", errors.Join(err, file.Close()))
	}
	j.file = file
	return nil
}

// append writes one line, whole.
func (j *journal) append(e event) error {
	if j.path == "" {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		return err
	}
	if err := j.makeRoom(int64(line.Len())); err != nil {
		return err
	}
	if _, err := j.file.WriteString(j.secrets.redact(line.String())); err != nil {
		return fmt.Errorf("write the log of events: %w", err)
	}
	return nil
}

// makeRoom puts a full file aside.
func (j *journal) makeRoom(more int64) error {
	if j.file == nil { // it could not be opened the last time
		return j.open()
	}
	info, err := j.file.Stat()
	if err != nil || info.Size() == 0 || info.Size()+more <= maxJournal {
		return err
	}
	err = errors.Join(j.file.Close(), os.Rename(j.path, j.path+".1"))
	j.file = nil
	return errors.Join(err, j.open())
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}

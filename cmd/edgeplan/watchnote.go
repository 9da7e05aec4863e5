package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/edgeplan/edgeplan/internal/measurement"
)

// measuredNote is what watch has measured and not yet planned with to the end. It is on disk
// before the measurements are. So a watch that is started anew, after a crash or a reboot, can
// tell its own measurements from an edit that waits for somebody to review it, and goes on.
type measuredNote struct {
	FormatVersion int         `json:"format_version"`
	Models        []string    `json:"models"` // whose links are measured
	Links         []notedLink `json:"links"`
}

// notedLink is a link as what is deployed was planned with it, and as watch has measured it.
type notedLink struct {
	Was *measurement.Link `json:"was"` // nil where it had not been measured
	Is  measurement.Link  `json:"is"`
}

const noteVersion = 1

func (w *watch) notePath() string { return filepath.Join(w.workDir(), "watch-measured.json") }

// noter notes links as they are measured for pipelines.
func (w *watch) noter(models []string) func(measurement.Link) error {
	if w.note == nil {
		w.note = &measuredNote{FormatVersion: noteVersion}
	}
	w.note.Models = models
	before := w.project.config.Measured
	var mu sync.Mutex
	return func(l measurement.Link) error {
		mu.Lock()
		defer mu.Unlock()
		w.note.add(before.Link(l.From, l.To), l)
		return w.writeNote()
	}
}

// add keeps what was before the first of several measurements.
func (n *measuredNote) add(was *measurement.Link, is measurement.Link) {
	at := slices.IndexFunc(n.Links, func(o notedLink) bool { return o.Is.From == is.From && o.Is.To == is.To })
	if at >= 0 {
		n.Links[at].Is = is
		return
	}
	n.Links = append(n.Links, notedLink{was, is})
}

func (w *watch) writeNote() error {
	content, err := json.MarshalIndent(w.note, "", "  ")
	if err != nil {
		return err
	}
	return writePrivate(w.notePath(), append(content, '\n'))
}

// compare finds out whether the folder asks for what is not deployed.
func (w *watch) compare(outstanding func() string) {
	w.pending = outstanding()
	switch {
	case w.pending != "":
		w.pending = w.recall(outstanding)
	case w.note == nil: // not one that was recalled, where the folder could not be read anew since
		w.dropNote() // whatever was measured is planned with
	}
}

// recall is for a folder that asks for what is not deployed. Where that is only for what an
// earlier watch has measured and not planned with to the end, plans count with what was known
// before, as that watch did, and the pipelines are measured again soon. It gives what the folder
// asks for then. A measurement that somebody has changed since is an edit like any other.
func (w *watch) recall(outstanding func() string) string {
	note, err := readNote(w.notePath())
	if err != nil {
		w.say("what an earlier watch has measured counts as an edit of the folder: " + err.Error())
	}
	if note == nil {
		return w.pending
	}
	edited := w.project
	w.project = edited.measured(note.undo(edited.config.Measured.All()))
	if outstanding() != "" {
		w.project = edited
		return w.pending
	}
	w.note = note
	w.machine.Owe(note.Models)
	return ""
}

// undo gives measurements as they were before those of the note.
func (n *measuredNote) undo(all *measurement.Measurements) *measurement.Measurements {
	undone := *all
	undone.Links = nil
	for _, l := range all.Links {
		at := slices.IndexFunc(n.Links, func(o notedLink) bool { return o.Is == l })
		switch {
		case at < 0:
			undone.Links = append(undone.Links, l)
		case n.Links[at].Was != nil:
			undone.Links = append(undone.Links, *n.Links[at].Was)
		}
	}
	return &undone
}

// readNote gives nil where nothing is noted.
func readNote(path string) (*measuredNote, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	note := &measuredNote{}
	if err := json.Unmarshal(content, note); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if note.FormatVersion != noteVersion {
		return nil, fmt.Errorf("%s is of format %d, and this edgeplan reads %d", path, note.FormatVersion, noteVersion)
	}
	return note, nil
}

// planned takes out of the note what a plan has counted with that is deployed now.
func (w *watch) planned() {
	if w.note == nil {
		return
	}
	w.note.Links = slices.DeleteFunc(w.note.Links, func(o notedLink) bool {
		counted := w.project.config.Measured.Link(o.Is.From, o.Is.To)
		return counted != nil && *counted == o.Is
	})
	if len(w.note.Links) == 0 {
		w.dropNote()
	} else if err := w.writeNote(); err != nil {
		w.warnf("%v", err)
	}
}

func (w *watch) dropNote() {
	w.note = nil
	if err := os.Remove(w.notePath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.warnf("%v", err)
	}
}

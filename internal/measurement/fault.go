package measurement

import (
	"bytes"
	"fmt"
	"strings"
)

// Fault is one thing that is wrong with a file of measurements, or with measurements
// that were to be written.
type Fault struct {
	File string // as it was named
	// Line and Column from 1, columns in bytes; 0 where the fault is of no place.
	Line, Column int
	Offset       int    // bytes before it
	Path         string // links[3].spread; "" is the file as a whole
	Problem      string // what is wrong, and what to do
}

// Error is the place and the fault in one line.
func (f *Fault) Error() string {
	text := f.File
	if f.Line > 0 {
		text += fmt.Sprintf(":%d:%d", f.Line, f.Column)
	}
	if f.Path != "" {
		text += ": " + f.Path
	}
	return text + ": " + f.Problem
}

// mostFaults are told of one file; the rest is counted.
const mostFaults = 20

// Faults are all that is wrong, in the order of the file.
type Faults struct {
	All  []*Fault
	More int // beyond the first 20
}

// Error is one line a fault.
func (f *Faults) Error() string {
	var lines []string
	for _, fault := range f.All {
		lines = append(lines, fault.Error())
	}
	if f.More > 0 {
		lines = append(lines, fmt.Sprintf("%s: %d more like these; correct the first ones and run again", f.All[0].File, f.More))
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each fault to errors.As.
func (f *Faults) Unwrap() []error {
	var all []error
	for _, fault := range f.All {
		all = append(all, fault)
	}
	return all
}

// err is nil where nothing is wrong.
func (f *Faults) err() error {
	if len(f.All) == 0 {
		return nil
	}
	return f
}

// add keeps a fault, or counts it.
func (f *Faults) add(fault func() *Fault) {
	if len(f.All) == mostFaults {
		f.More++
		return
	}
	f.All = append(f.All, fault())
}

// position is the line and the column of an offset, both from 1.
func position(src []byte, offset int) (line, column int) {
	before := src[:offset]
	return 1 + bytes.Count(before, []byte("\n")), offset - bytes.LastIndexByte(before, '\n')
}

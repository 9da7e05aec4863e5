package solver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxProblemBytes bounds a problem file: 2,000 nodes with a matrix of bandwidths
// need a sixth of it.
const maxProblemBytes = 256 << 20

// readSource reads the one JSON value of a problem file. A byte order mark before
// it, which some editors leave, is skipped.
func readSource(r io.Reader) (src []byte, raw json.RawMessage, err error) {
	src, err = io.ReadAll(io.LimitReader(r, maxProblemBytes+1))
	if err != nil {
		return nil, nil, err
	}
	if len(src) > maxProblemBytes {
		return nil, nil, &FieldError{Path: wholeFile, Problem: fmt.Sprintf("is larger than %s, the most that is read", mebibytes(maxProblemBytes))}
	}
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(src)) == 0 {
		return nil, nil, &FieldError{Path: wholeFile, Problem: "is empty; a JSON object is expected"}
	}
	dec := json.NewDecoder(bytes.NewReader(src))
	if err := dec.Decode(&raw); err != nil {
		return nil, nil, notJSON(src, err)
	}
	end := dec.InputOffset()
	if rest := bytes.TrimLeft(src[end:], " \t\r\n"); len(rest) > 0 {
		fault := &FieldError{Path: wholeFile, Problem: "there is more after the problem; one object is expected"}
		fault.Line, fault.Column = position(src, len(src)-len(rest))
		return nil, nil, fault
	}
	return src, raw, nil
}

// notJSON says where a file stops being JSON, and what is there. Programs that
// write not-a-number or infinity as a bare word are common.
func notJSON(src []byte, err error) error {
	fault := &FieldError{Path: wholeFile, Problem: "no valid JSON: " + err.Error()}
	at := len(src)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at = max(0, min(len(src), int(syntax.Offset))-1)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		fault.Problem = "no valid JSON: it ends in the middle"
	}
	for _, word := range []string{"NaN", "nan", "Infinity", "-Infinity", "inf", "-inf"} {
		if start := max(0, at-1); bytes.HasPrefix(src[at:], []byte(word)) || bytes.HasPrefix(src[start:], []byte(word)) {
			fault.Problem = fmt.Sprintf("no valid JSON: %s is no number here; a finite one is expected", word)
			fault.Path = pathAt(src, at)
		}
	}
	fault.Line, fault.Column = position(src, at)
	return fault
}

// position is the line and the column, in bytes, of an offset, both from 1.
func position(src []byte, offset int) (line, column int) {
	before := src[:offset]
	return 1 + bytes.Count(before, []byte("\n")), offset - bytes.LastIndexByte(before, '\n')
}

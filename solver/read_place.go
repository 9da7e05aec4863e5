package solver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// places walks a JSON text and tells where the values of paths stand.
type places struct {
	dec   *json.Decoder
	src   []byte
	visit func(path string, key, value int) // offsets; key is the value's own without one
}

// located adds line and column to every fault. What is missing stands where its
// object begins; what is unknown or given twice, where its last key is.
func located(src []byte, faults []error) error {
	wanted := map[string][]*FieldError{}
	for _, err := range faults {
		var fault *FieldError
		if errors.As(err, &fault) {
			for path := fault.Path; ; path = parent(path) {
				wanted[path] = append(wanted[path], fault)
				if path == "" {
					break
				}
			}
		}
	}
	found := map[*FieldError]int{} // length of the path that is placed
	see := func(path string, key, value int) {
		for _, fault := range wanted[path] {
			if depth, ok := found[fault]; ok && depth > len(path) {
				continue
			}
			at := value
			if fault.atKey && path == fault.Path {
				at = key
			}
			found[fault] = len(path)
			fault.Line, fault.Column = position(src, at)
		}
	}
	p := &places{dec: json.NewDecoder(bytes.NewReader(src)), src: src, visit: see}
	p.value("", p.next()) //nolint:errcheck // the text has been read before
	return errors.Join(faults...)
}

// parent is a path without its last part.
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// next is where the next token begins.
func (p *places) next() int {
	at := int(p.dec.InputOffset())
	for at < len(p.src) && strings.IndexByte(" \t\r\n,:", p.src[at]) >= 0 {
		at++
	}
	return at
}

// value reads one value at a path.
func (p *places) value(path string, key int) error {
	p.visit(path, key, p.next())
	token, err := p.dec.Token()
	switch {
	case err != nil:
		return err
	case token == json.Delim('{'):
		return p.members(path)
	case token == json.Delim('['):
		return p.entries(path)
	}
	return nil
}

func (p *places) members(path string) error {
	for p.dec.More() {
		key := p.next()
		name, err := p.dec.Token()
		if err != nil {
			return err
		}
		if err := p.value(join(path, fmt.Sprint(name)), key); err != nil {
			return err
		}
	}
	_, err := p.dec.Token()
	return err
}

func (p *places) entries(path string) error {
	for i := 0; p.dec.More(); i++ {
		if err := p.value(fmt.Sprintf("%s[%d]", path, i), p.next()); err != nil {
			return err
		}
	}
	_, err := p.dec.Token()
	return err
}

// pathAt is the path of the value at an offset where the text stops being JSON.
func pathAt(src []byte, offset int) string {
	last := ""
	p := &places{dec: json.NewDecoder(bytes.NewReader(src)), src: src, visit: func(path string, _, value int) {
		if value <= offset {
			last = path
		}
	}}
	p.value("", p.next()) //nolint:errcheck // it fails at the offset, which is what is looked for
	return orRoot(last)
}

package ort

import (
	"fmt"
	"regexp"
	"strings"
)

// Error is what ONNX Runtime said when it refused to do something.
type Error struct {
	Code    Code
	Message string // in the engine's own words
}

func (e *Error) Error() string { return fmt.Sprintf("ONNX Runtime: %s (%s)", e.Message, e.Code) }

// Code is the kind of an Error (OrtErrorCode of onnxruntime_c_api.h).
type Code int32

// The codes that callers may want to tell apart.
const (
	Fail            Code = 1
	InvalidArgument Code = 2
	NoSuchFile      Code = 3
	InvalidProtobuf Code = 7
	NotImplemented  Code = 9
	InvalidGraph    Code = 10
)

// String is the code's name in the engine's documentation: "INVALID_GRAPH".
func (c Code) String() string {
	names := [...]string{
		"OK", "FAIL", "INVALID_ARGUMENT", "NO_SUCHFILE", "NO_MODEL", "ENGINE_ERROR", "RUNTIME_EXCEPTION",
		"INVALID_PROTOBUF", "MODEL_LOADED", "NOT_IMPLEMENTED", "INVALID_GRAPH", "EP_FAIL",
	}
	if c < 0 || int(c) >= len(names) {
		return fmt.Sprintf("code %d", int32(c))
	}
	return names[c]
}

// check turns a status into an error, and gives the status back to the engine.
func (e *Engine) check(s status) error {
	if s == 0 {
		return nil
	}
	defer e.api.ReleaseStatus(s)
	return &Error{Code: Code(e.api.GetErrorCode(s)), Message: plainMessage(e.api.GetErrorMessage(s))}
}

// place is where in its own source the engine found something wrong, with the signature
// of the function: of no use to whom the message is for.
var place = regexp.MustCompile(`/\S*onnxruntime_src/\S+?:\d+ (?:[^\n(]*\((?:[^()]|\([^()]*\))*\)(?:::<lambda\([^)]*\)>)?(?: const)? ?)?`)

// plainMessage is the engine's message without places in its source, on one line.
func plainMessage(message string) string {
	return strings.Join(strings.Fields(place.ReplaceAllString(message, "")), " ")
}

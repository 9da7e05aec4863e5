package deployer

import (
	"errors"
	"fmt"
)

// Severity is how bad something is.
type Severity string

// The severities.
const (
	Fault   Severity = "error"   // an apply would stop at it, before anything is written
	Warning Severity = "warning" // an apply goes on
)

// Finding is something about a device that a person should know of.
type Finding struct {
	Node     string   `json:"node"`
	Severity Severity `json:"severity"`
	// Check that found it: connection, architecture, libc, path, mount, space,
	// memory, ports, clock, reboot, lease, tools, release, or device for all else.
	Check   string `json:"check"`
	Problem string `json:"problem"` // what is wrong, and why
	Remedy  string `json:"remedy"`  // what to do; "" where the problem says it
}

// problem is a fault that a check has found.
type problem struct {
	check, text, fix string
}

func (p *problem) Error() string { return p.text + ": " + p.fix }

func problemf(check, fix, format string, args ...any) error {
	return &problem{check, fmt.Sprintf(format, args...), fix}
}

// faultsOf are the single faults of an error, which may join many.
func faultsOf(node string, err error) []Finding {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []Finding
		for _, part := range joined.Unwrap() {
			list = append(list, faultsOf(node, part)...)
		}
		return list
	}
	var named *DeviceError
	if errors.As(err, &named) && named == err {
		return faultsOf(node, named.Err)
	}
	return []Finding{faultOf(node, err)}
}

func faultOf(node string, err error) Finding {
	f := Finding{Node: node, Severity: Fault, Check: "device", Problem: err.Error()}
	var found *problem
	var held *HeldError
	switch {
	case errors.As(err, &found):
		f.Check, f.Problem, f.Remedy = found.check, found.text, found.fix
	case errors.As(err, &held):
		f.Check, f.Problem, f.Remedy = "lease", held.who(), held.remedy(node)
	case connects(err):
		f.Check = "connection"
	}
	return f
}

// connects says whether an error is about reaching a device.
func connects(err error) bool {
	var unreachable *UnreachableError
	var silent *HandshakeTimeoutError
	var unknown *UnknownHostKeyError
	var changed *ChangedHostKeyError
	var refused *AuthError
	var agent *AgentError
	return errors.As(err, &unreachable) || errors.As(err, &silent) || errors.As(err, &unknown) ||
		errors.As(err, &changed) || errors.As(err, &refused) || errors.As(err, &agent)
}

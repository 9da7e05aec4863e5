package deployer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// Examination is what was found on devices before anything is done.
type Examination struct {
	Devices  []Examined `json:"devices"`  // in order of node
	Findings []Finding  `json:"findings"` // in order of node, faults first
}

// Examined is what a device told. Where it could not be asked, only the node is set.
type Examined struct {
	Node         string `json:"node"`
	Address      string `json:"address"` // host:port of SSH
	Answered     bool   `json:"answered"`
	Architecture string `json:"architecture,omitempty"`
	Library      string `json:"libc,omitempty"` // "glibc 2.36"
	// Bytes of disk and memory that are free; 0 where the device does not tell.
	FreeDiskBytes        int64   `json:"free_disk_bytes,omitempty"`
	AvailableMemoryBytes int64   `json:"available_memory_bytes,omitempty"`
	NeededDiskBytes      int64   `json:"needed_disk_bytes,omitempty"`   // by the plan
	NeededMemoryBytes    int64   `json:"needed_memory_bytes,omitempty"` // by the plan
	ClockSkewSeconds     float64 `json:"clock_skew_seconds,omitempty"`  // its clock less this machine's
	// Supervision is what would keep a worker running and start it after a reboot; "none"
	// is that nothing starts it.
	Supervision worker.Supervision `json:"supervision,omitempty"`
}

// Faults counts the findings that an apply would stop at.
func (e *Examination) Faults() int {
	n := 0
	for _, f := range e.Findings {
		if f.Severity == Fault {
			n++
		}
	}
	return n
}

// Examine looks at devices as Apply does before it begins, and changes nothing: at
// those of a plan, and at other nodes, which it compares with nothing. A plan that
// has nothing to do is looked at just so.
func Examine(ctx context.Context, p *plan.Plan, nodes map[string]statefile.Node, o Options) (*Examination, error) {
	if err := checkPlan(p); err != nil {
		return nil, fmt.Errorf("the plan cannot be carried out: %w", err)
	}
	a := newApplying(p, nil, o.withDefaults())
	defer a.close()
	for name, node := range nodes {
		if a.devices[name] == nil {
			a.devices[name] = newDevice(name, node, a.o)
		}
	}
	report := &Examination{Devices: []Examined{}, Findings: []Finding{}}
	if err := a.checkShared(); err != nil {
		report.Findings = append(report.Findings, Finding{Severity: Fault, Check: "path", Problem: err.Error()})
	}
	a.examineAll(ctx, report)
	if ctx.Err() != nil {
		return nil, interruptedBy(ctx, "nothing was changed")
	}
	return report, nil
}

func (a *applying) examineAll(ctx context.Context, report *Examination) {
	var mu sync.Mutex
	devices, findings := map[string]Examined{}, map[string][]Finding{}
	names := sortedKeys(a.devices)
	_ = each(names, a.o.Devices, func(node string) error {
		e, list := a.examine(ctx, node)
		mu.Lock()
		defer mu.Unlock()
		devices[node], findings[node] = e, list
		return nil
	})
	for _, node := range names {
		report.Devices = append(report.Devices, devices[node])
		report.Findings = append(report.Findings, findings[node]...)
	}
}

func (a *applying) examine(ctx context.Context, node string) (Examined, []Finding) {
	d := a.devices[node]
	e := Examined{Node: node, Address: address(d.node.SSH)}
	s, err := siteOf(ctx, d, d.node.Path, a.plan.Prior.Lineage)
	if err != nil {
		return e, a.softened(node, faultsOf(node, err))
	}
	s.program = a.program(s)
	var missing []statefile.Blob
	if len(a.wanted(node)) > 0 {
		missing, err = a.lacking(ctx, s)
	}
	found, admitted := a.admit(ctx, s, missing)
	e.Answered = true
	e.Architecture, e.Library = found.look.architecture, found.measured.libc
	e.FreeDiskBytes, e.AvailableMemoryBytes = told(found.free.bytes), found.measured.available
	e.NeededDiskBytes, e.NeededMemoryBytes = totalBytes(missing), memoryNeeded(a.plan, node)
	e.Supervision = found.measured.supervision
	e.ClockSkewSeconds = found.measured.skew.Round(time.Second).Seconds()
	list := a.softened(node, faultsOf(node, errors.Join(err, admitted, s.checkLease(ctx))))
	if err := found.measured.checkReboot(s.node.SSH.User); err != nil { // apply's start warns of it by itself
		found.warnings = append(found.warnings, err)
	}
	for _, warning := range found.warnings {
		f := faultOf(node, warning)
		f.Severity = Warning
		list = append(list, f)
	}
	return e, list
}

// told is how much is free, where the device tells.
func told(bytes int64) int64 {
	if bytes == 1<<62 {
		return 0
	}
	return bytes
}

// softened makes warnings of what does not hold up an apply: faults of a device
// that only has to be cleaned or that the plan does not touch.
func (a *applying) softened(node string, list []Finding) []Finding {
	if _, receives := a.plan.Desired.Nodes[node]; receives {
		return list
	}
	for i := range list {
		list[i].Severity = Warning
	}
	return list
}

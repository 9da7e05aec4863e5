package measurement

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
)

// What no measurement exceeds. The bounds are far above what there is, and keep sums
// of many measurements within what can be counted.
const (
	mostBytes   = int64(1) << 50 // 1 PiB
	mostRate    = 1e13           // bytes per second
	mostCompute = 1e21           // FLOP per second
	mostSeconds = 1e6            // eleven days
	mostSpread  = 1e3            // two samples of noise reach tens
	mostCount   = 1 << 20        // processors, threads, segments
	mostText    = 1 << 10        // bytes of a name
)

// What no measurement is below, other than one of nothing: far below what there is, and
// enough that no quotient of two measurements is beyond a 64-bit float.
const (
	leastSeconds = 1e-9
	leastRate    = 1e-3 // bytes per second
)

// field is one value of an entry of the file.
type field struct {
	name     string
	to       any // *string, *int, *int64, *float64 or *time.Time
	optional bool
	problem  func() string // what is wrong with the value, or ""
}

func optional(f field) field {
	f.optional = true
	return f
}

// number is from least to most.
func number[T int | int64 | float64](name string, to *T, least, most T) field {
	return field{name: name, to: to, problem: func() string {
		switch v := *to; {
		case math.IsNaN(float64(v)):
			return "is no number"
		case v < least && least == 0:
			return fmt.Sprintf("is negative: %v", v)
		case v < least || v > most:
			return fmt.Sprintf("is %v; it must be from %v to %v", v, least, most)
		}
		return ""
	}}
}

// positive is from least, which is more than 0, to most.
func positive(name string, to *float64, least, most float64) field {
	f := number(name, to, least, most)
	within := f.problem
	f.problem = func() string {
		if *to == 0 {
			return "is 0; remove the entry where there was nothing to measure"
		}
		return within()
	}
	return f
}

// rate is in bytes per second; 0 is that nothing got through.
func rate(name string, to *float64) field {
	f := number(name, to, 0, mostRate)
	within := f.problem
	f.problem = func() string {
		if *to > 0 && *to < leastRate {
			return fmt.Sprintf("is %v; it must be 0, for nothing that gets through, or from %v to %v", *to, leastRate, mostRate)
		}
		return within()
	}
	return f
}

func text(name string, to *string) field {
	return field{name: name, to: to, problem: func() string {
		switch s := *to; {
		case strings.TrimSpace(s) == "":
			return "is empty"
		case len(s) > mostText:
			return fmt.Sprintf("is a text of %d bytes, and %d are the most", len(s), mostText)
		case strings.ContainsFunc(s, unicode.IsControl):
			return fmt.Sprintf("is %q; a name without control characters is expected, since it is printed", s)
		}
		return ""
	}}
}

// anyText may be empty.
func anyText(name string, to *string) field {
	f := text(name, to)
	filled := f.problem
	f.problem = func() string {
		if *to == "" {
			return ""
		}
		return filled()
	}
	return f
}

func choice(name string, to *string, allowed ...string) field {
	return field{name: name, to: to, problem: func() string {
		for _, s := range allowed {
			if s == *to {
				return ""
			}
		}
		return fmt.Sprintf("is %q; it must be one of %s", *to, strings.Join(allowed, ", "))
	}}
}

func digest(name string, to *string) field {
	return field{name: name, to: to, problem: func() string {
		if len(*to) == 64 && strings.Trim(*to, "0123456789abcdef") == "" {
			return ""
		}
		return fmt.Sprintf("is %q; the sha256 of the model file as 64 hex digits is expected", *to)
	}}
}

func moment(name string, to *time.Time) field {
	return field{name: name, to: to, problem: func() string {
		if year := to.UTC().Year(); year < 1970 || year > 9999 {
			return fmt.Sprintf("is of the year %d; a time such as 2026-05-01T10:00:00Z is expected", year)
		}
		return ""
	}}
}

func (n *Node) fields() []field {
	return []field{
		text("node", &n.Node),
		text("architecture", &n.Architecture),
		number("cores", &n.Cores, 0, mostCount),
		number("memory_bytes", &n.MemoryBytes, 0, mostBytes),
		number("memory_total_bytes", &n.MemoryTotalBytes, 0, mostBytes),
		optional(number("memory_limit_bytes", &n.MemoryLimitBytes, 0, mostBytes)),
		number("disk_free_bytes", &n.DiskFreeBytes, 0, math.MaxInt64),
		optional(number("compute_flop_per_second", &n.ComputeFLOPPerSecond, 0, mostCompute)),
		optional(number("cpu_seconds_per_byte", &n.CPUSecondsPerByte, 0, 1)),
		optional(number("cpu_seconds_per_request", &n.CPUSecondsPerRequest, 0, mostSeconds)),
		optional(number("engine_base_bytes", &n.EngineBaseBytes, 0, mostBytes)),
		optional(number("engine_load_seconds", &n.EngineLoadSeconds, 0, mostSeconds)),
		number("clock_offset_seconds", &n.ClockOffsetSeconds, -math.MaxFloat64, math.MaxFloat64),
		moment("measured_at", &n.MeasuredAt),
	}
}

func (l *Link) fields() []field {
	return []field{
		text("from", &l.From),
		text("to", &l.To),
		rate("bandwidth_bytes_per_second", &l.BandwidthBytesPerSecond),
		number("round_trip_seconds", &l.RoundTripSeconds, 0, mostSeconds),
		number("spread", &l.Spread, 0, mostSpread),
		moment("measured_at", &l.MeasuredAt),
	}
}

func (p *Profile) fields() []field {
	return []field{
		text("node", &p.Node),
		text("model", &p.Model),
		digest("digest", &p.Digest),
		optional(anyText("dimensions", &p.Dimensions)),
		choice("optimization", &p.Optimization, "disabled", "basic", "extended", "all"),
		number("threads", &p.Threads, 0, mostCount),
		number("first_segment", &p.FirstSegment, 0, mostCount),
		number("last_segment", &p.LastSegment, 0, mostCount),
		positive("seconds", &p.Seconds, leastSeconds, mostSeconds),
		number("spread", &p.Spread, 0, mostSpread),
		optional(number("passes", &p.Passes, 0, mostCount)),
		optional(number("deviation", &p.Deviation, 0, mostSpread)),
		optional(number("peak_memory_bytes", &p.PeakMemoryBytes, 0, mostBytes)),
		optional(number("serving_cpu_seconds", &p.ServingCPUSeconds, 0, mostSeconds)),
		optional(number("serving_peak_memory_bytes", &p.ServingPeakMemoryBytes, 0, mostBytes)),
		moment("measured_at", &p.MeasuredAt),
	}
}

// The contradictions of an entry: the field that is wrong beside another, and why.

func (*Node) contradiction() (name, problem string) { return "", "" }

func (l *Link) contradiction() (name, problem string) {
	if l.From == l.To {
		return "to", "is the node that it is from; a link is between two"
	}
	return "", ""
}

func (p *Profile) contradiction() (name, problem string) {
	if p.LastSegment < p.FirstSegment {
		return "last_segment", fmt.Sprintf("is %d, before first_segment %d", p.LastSegment, p.FirstSegment)
	}
	return "", ""
}

// The keys of entries: each is in the file once.

func (n *Node) key() any { return n.Node }

func (l *Link) key() any { return [2]string{l.From, l.To} }

func (p *Profile) key() any {
	return struct {
		node, model, digest, dimensions, optimization string
		threads, first, last                          int
	}{p.Node, p.Model, p.Digest, p.Dimensions, p.Optimization, p.Threads, p.FirstSegment, p.LastSegment}
}

func (n *Node) when() *time.Time { return &n.MeasuredAt }

func (l *Link) when() *time.Time { return &l.MeasuredAt }

func (p *Profile) when() *time.Time { return &p.MeasuredAt }

// entry is a Node, Link or Profile.
type entry[T any] interface {
	*T
	fields() []field
	contradiction() (name, problem string)
	key() any
	when() *time.Time
}

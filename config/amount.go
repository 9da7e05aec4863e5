package config

import (
	"time"

	"github.com/zclconf/go-cty/cty"
)

// parser of a quantity.
type parser[T int64 | float64 | time.Duration] func(string) (T, error)

// amount reads a quantity with a unit. It is false when it is absent or its
// fault has been reported.
func amount[T int64 | float64 | time.Duration](r *reader, name string, parse parser[T]) (T, argument, bool) {
	a, ok := r.get(name, cty.DynamicPseudoType)
	if !ok {
		return 0, a, false
	}
	if a.value.Type() != cty.String && a.value.Type() != cty.Number {
		r.bad(name, a, wrongType, "%s must be a text with a unit, not a value of type %s. Write it as %s.", name, a.value.Type().FriendlyName(), amountExample(name))
		return 0, a, false
	}
	text, err := convertTo(r.seen[name], cty.String)
	if err != nil {
		r.bad(name, a, wrongType, "%s %v. Write it as %s.", name, err, amountExample(name))
		return 0, a, false
	}
	r.seen[name] = text
	plain, _ := text.Unmark()
	v, err := parse(plain.AsString())
	if err != nil {
		r.bad(name, a, invalidQuantity, "%s = %v.", name, err)
		return 0, a, false
	}
	return v, a, true
}

// positive is an amount that must be more than nothing.
func positive[T int64 | float64 | time.Duration](r *reader, name string, parse parser[T]) (T, bool) {
	v, a, ok := amount(r, name, parse)
	if ok && v <= 0 {
		r.bad(name, a, invalidQuantity, "%s must be more than 0. Write it as %s.", name, amountExample(name))
		return 0, false
	}
	return v, ok
}

func isAbsent(r *reader, name string) bool {
	v, ok := r.seen[name]
	return !ok || v.IsKnown() && v.IsNull()
}

func amountExample(name string) string {
	switch name {
	case "memory":
		return `"512MiB"`
	case "compute":
		return `"9GFLOPS"`
	case "bandwidth", "uplink":
		return `"94Mbps"`
	case "latency":
		return `"2ms"`
	case "replan_threshold":
		return `"5%"`
	}
	return `"10s"`
}

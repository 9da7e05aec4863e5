package main

import (
	"flag"
	"fmt"
	"regexp"
	"time"
)

// unparsed is how package flag says that a value is none of its type.
var unparsed = regexp.MustCompile(`^(.* (?:for|flag) -([a-z-]+)): parse error$`)

// flagError says what a flag wants where package flag only says "parse error".
func flagError(flags *flag.FlagSet, err error) error {
	if parts := unparsed.FindStringSubmatch(err.Error()); parts != nil {
		err = fmt.Errorf("%s: write %s", parts[1], wanted(flags.Lookup(parts[2])))
	}
	return fmt.Errorf("%w\nRun `edgeplan %s -help` for its options", err, flags.Name())
}

// wanted describes the values of a flag.
func wanted(f *flag.Flag) string {
	getter, ok := f.Value.(flag.Getter)
	if !ok {
		return "another value"
	}
	switch getter.Get().(type) {
	case time.Duration:
		return "a time with its unit, as 30s or 1m30s"
	case int, uint64:
		return "a whole number"
	case float64:
		return "a number"
	case bool:
		return "true or false"
	}
	return "another value"
}

package main

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// planFlags are the options that plan, apply and destroy share.
type planFlags struct {
	vars        variables
	refresh     refreshing
	refreshOnly bool
	replan      bool
	destroy     bool
	explain     bool // of plan alone
	offline     bool // no device is asked anything
	targets     list
	replace     list
	exclude     list
	lock        locking
}

// list is an option that may be repeated.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(value string) error {
	if value == "" {
		return errors.New("write an address")
	}
	*l = append(*l, value)
	return nil
}

// refreshing is how closely devices are looked at: the values of -refresh.
type refreshing string

const (
	refreshNot   refreshing = "false"
	refreshQuick refreshing = "true"
	refreshFull  refreshing = "full" // hash every file
)

// String is the value as it is written.
func (r *refreshing) String() string { return string(*r) }

// IsBoolFlag lets -refresh stand alone.
func (r *refreshing) IsBoolFlag() bool { return true }

// Set reads a value.
func (r *refreshing) Set(text string) error {
	if on, err := strconv.ParseBool(text); err == nil {
		text = strconv.FormatBool(on)
	}
	switch given := refreshing(text); given {
	case refreshNot, refreshQuick, refreshFull:
		*r = given
		return nil
	}
	return errors.New("write true, false or full")
}

// locking is how a command takes the lock of the state.
type locking struct {
	off     bool
	timeout time.Duration
}

func (l *locking) add(flags *flag.FlagSet) {
	flags.DurationVar(&l.timeout, "lock-timeout", 0, "wait for the lock of the state for this `TIME`, as 30s")
}

func (f *planFlags) add(c *cli, flags *flag.FlagSet) {
	f.vars.add(flags)
	f.refresh = refreshQuick
	flags.Var(&f.refresh, "refresh", "ask the devices what runs on them; -refresh=false trusts the state, -refresh=full also hashes every file there (default true)")
	flags.BoolVar(&f.refreshOnly, "refresh-only", false, "only tell what was found on the devices, and bring the state up to date where it can hold that: keys of workers, addresses, outputs")
	flags.BoolVar(&f.replan, "replan", false, "take a better placement even when it saves less than replan_threshold")
	flags.BoolVar(&f.destroy, "destroy", false, "plan to remove what is deployed")
	flags.Var(&f.replace, "replace", "push the files of the slice with this `ADDRESS`, as slice.resnet50[0], again and start its worker again; a model means all its slices; may be repeated")
	f.addShared(c, flags)
}

// addShared adds what also destroy takes.
func (f *planFlags) addShared(c *cli, flags *flag.FlagSet) {
	flags.Var(&f.targets, "target", "plan only for the model with this `ADDRESS`, as model.resnet50, and leave the others as they are; may be repeated")
	flags.Var(&f.exclude, "exclude", "leave out the device with this `ADDRESS`, as node.pi[\"roof\"], for now: do as though it had enabled = false, and do not try to reach it; may be repeated")
	f.lock.add(flags)
	flags.IntVar(&c.parallelism, "parallelism", defaultParallelism, "work on at most `N` devices at once")
	flags.BoolVar(&c.compactWarnings, "compact-warnings", false, "print warnings without their details, when there is no error")
}

// defaultParallelism is how many devices are worked on at once.
const defaultParallelism = 32

// check refuses options that exclude each other.
func (f *planFlags) check(c *cli) error {
	switch {
	case c.parallelism < 1:
		return fmt.Errorf("-parallelism=%d: write 1 or more", c.parallelism)
	case f.destroy && f.refreshOnly:
		return errors.New("-destroy and -refresh-only exclude each other: give one of them")
	case f.destroy && len(f.replace) > 0:
		return errors.New("-destroy and -replace exclude each other: what is removed is not pushed again")
	case f.destroy && f.replan:
		return errors.New("-destroy and -replan exclude each other: what is removed is not placed")
	case f.refreshOnly && f.refresh == refreshNot:
		return errors.New("-refresh-only and -refresh=false exclude each other: one asks the devices and the other does not")
	case f.refreshOnly && (len(f.targets) > 0 || len(f.replace) > 0 || f.replan):
		return errors.New("-refresh-only changes no device, so -target, -replace and -replan have no meaning with it: leave them out")
	}
	return nil
}

// addUnused adds what destroy takes so that one set of options serves a script's
// commands: a destroy needs no variable and asks no device before it begins.
func (f *planFlags) addUnused(flags *flag.FlagSet) {
	f.vars.add(flags)
	flags.Var(&f.refresh, "refresh", "accepted as by apply; destroy works from the state")
}

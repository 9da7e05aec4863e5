package main

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/internal/simulation"
)

// simulateLoad is how requests come to the models.
type simulateLoad struct {
	concurrency int
	rate        float64
	rates       map[string]float64 // by model; they win over rate
	even        bool
}

func (l *simulateLoad) add(flags *flag.FlagSet) {
	flags.IntVar(&l.concurrency, "concurrency", 0, "`COUNT` of requests under way to each model; default: enough to keep every stage busy")
	flags.Func("rate", "send so many requests a second to each model, `RATE` or MODEL=RATE, in an open loop; may be repeated", l.addRate)
	flags.BoolVar(&l.even, "even", false, "send the requests of an open loop at even distances, as bench does; else they come at random, as a Poisson process")
}

func (l *simulateLoad) addRate(text string) error {
	model, number, named := strings.Cut(text, "=")
	if !named {
		number = text
	}
	rate, err := strconv.ParseFloat(number, 64)
	if err != nil || !(rate >= minRate && rate <= maxRate) {
		return fmt.Errorf("write requests per second from %v to %v, or MODEL=RATE", minRate, maxRate)
	}
	if !named {
		l.rate = rate
		return nil
	}
	if l.rates == nil {
		l.rates = map[string]float64{}
	}
	l.rates[strings.TrimPrefix(model, "model.")] = rate
	return nil
}

// of is the load of a model with so many stages.
func (l *simulateLoad) of(model string, stages int) simulation.Load {
	out := simulation.Load{Concurrency: l.concurrency, Rate: l.rate, Even: l.even}
	if rate, ok := l.rates[model]; ok {
		out.Rate = rate
	}
	if out.Concurrency == 0 {
		out.Concurrency = defaultConcurrency(stages, out.Rate)
	}
	return out
}

func (f *simulateFlags) setJitter(text string) error {
	share, err := quantity.ParsePercent(text)
	if err != nil || share > maxJitter {
		return fmt.Errorf("write a share from 0%% to %s, as 10%%", quantity.FormatPercent(maxJitter))
	}
	f.jitter = &share
	return nil
}

// maxConcurrency of each model takes some hundred MB.
const maxConcurrency = 1_000_000

// maxJitter is a standard deviation of ten times the mean.
const maxJitter = 10

// loss is a device that is away for a while.
type loss struct {
	node     string
	at, away time.Duration
}

func (f *simulateFlags) addLoss(text string) error {
	wrong := errors.New(`write NODE@TIME+TIME, as node.pi["hall"]@10s+30s`)
	at := strings.LastIndex(text, "@")
	if at <= 0 {
		return wrong
	}
	from, away, ok := strings.Cut(text[at+1:], "+")
	if !ok {
		return wrong
	}
	l := loss{node: text[:at]}
	var err error
	if l.at, err = time.ParseDuration(from); err != nil {
		return wrong
	}
	if l.away, err = time.ParseDuration(away); err != nil || l.at < 0 || l.away <= 0 {
		return wrong
	}
	f.losses = append(f.losses, l)
	return nil
}

// check refuses options that exclude each other or have no meaning.
func (f *simulateFlags) check(files []string) error {
	planned := len(files) > 0 || f.problem.path != ""
	switch {
	case len(files) > 1:
		return fmt.Errorf("edgeplan simulate takes one saved plan, and %d were given: %s", len(files), strings.Join(files, ", "))
	case len(files) > 0 && f.problem.path != "":
		return errors.New("a saved plan and -problem exclude each other: give one of them")
	case f.problem.solution != "" && f.problem.path == "":
		return errors.New("-solution answers a problem: give -problem as well")
	case f.problem.limit < 0:
		return fmt.Errorf("-time-limit=%v is negative; 0 means no limit", f.problem.limit)
	case planned && len(f.vars) > 0:
		return errors.New("-var and -var-file are for the configuration of the folder: leave them out")
	case f.load.concurrency < 0:
		return errors.New("-concurrency must be 1 or more")
	case f.load.concurrency > maxConcurrency:
		return fmt.Errorf("-concurrency=%d is more than the %d requests under way that a simulation keeps", f.load.concurrency, maxConcurrency)
	case f.duration < 0 || f.requests < 0:
		return errors.New("-duration and -requests must be more than 0")
	case f.duration > 0 && f.requests > 0:
		return errors.New("-duration and -requests exclude each other: each ends the run")
	}
	return nil
}

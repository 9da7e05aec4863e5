package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/edgeplan/edgeplan/internal/artifact"
	"github.com/edgeplan/edgeplan/internal/ort"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/onnx"
)

// dimensions are the -dim flags.
type dimensions map[string]int64

func (d dimensions) add(flags *flag.FlagSet) {
	flags.Func("dim", "give a symbolic dimension its size: `NAME=SIZE`; may be repeated", func(text string) error {
		at := strings.LastIndex(text, "=")
		if at < 1 {
			return errors.New("write NAME=SIZE, as in -dim batch=1")
		}
		size, err := strconv.ParseInt(strings.TrimSpace(text[at+1:]), 10, 64)
		if err != nil || size < 0 {
			return fmt.Errorf("%q is no size: write a whole number, as in -dim %s=1", text[at+1:], text[:at])
		}
		name := strings.TrimSpace(text[:at])
		if _, twice := d[name]; twice {
			return fmt.Errorf("dimension %q is given twice", name)
		}
		d[name] = size
		return nil
	})
}

// oneFile is the only positional argument of a command.
func oneFile(command string, positional []string) (string, error) {
	switch len(positional) {
	case 0:
		return "", fmt.Errorf("edgeplan %s needs a model: give the path of an .onnx file", command)
	case 1:
		return positional[0], nil
	}
	return "", fmt.Errorf("edgeplan %s takes one model, and %d were given: %s", command, len(positional), strings.Join(positional, ", "))
}

// loadModelFile reads a model outside of any configuration. Its weights are not read.
func loadModelFile(ctx context.Context, path string, d dimensions, engine *lazyEngine) (*onnx.Chain, error) {
	chain, err := onnx.Load(ctx, path, onnx.Options{Dimensions: d, Shapes: engine, NoDigest: true})
	var unbound *onnx.UnboundError
	if errors.As(err, &unbound) {
		var options []string
		for _, name := range unbound.Dimensions {
			options = append(options, "-dim "+shellQuote(name+"=1"))
		}
		return nil, fmt.Errorf("%w\nor on this command line: %s", err, strings.Join(options, " "))
	}
	return chain, err
}

// shellQuote quotes a word that a shell would take apart.
func shellQuote(word string) string {
	if strings.ContainsFunc(word, func(r rune) bool {
		return !strings.ContainsRune("=_-./:,+", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}

// lazyEngine is the engine of this machine, found when something needs it: a model
// that describes all its tensors does not.
type lazyEngine struct {
	get func() (*ort.Engine, error)
}

// engine finds what init has collected in the folder, else a library on this
// machine, else the npm package.
func (c *cli) engine(ctx context.Context) *lazyEngine {
	return &lazyEngine{get: sync.OnceValues(func() (*ort.Engine, error) {
		set, err := artifact.Open(c.dir)
		if err == nil {
			return openEngine(set)
		}
		if !errors.Is(err, artifact.ErrNotInitialized) {
			return nil, err
		}
		o := artifact.FromEnvironment()
		o.Progress = func(message string) { c.notef("%s", message) }
		library, err := artifact.Engine(ctx, o.Host, o)
		if err != nil {
			return nil, err
		}
		return ort.Open(library.Path)
	})}
}

// InferShapes implements onnx.ShapeInferrer.
func (l *lazyEngine) InferShapes(model []byte, fold bool) ([]tensor.Info, error) {
	engine, err := l.get()
	if err != nil {
		return nil, err
	}
	return engine.InferShapes(model, fold)
}

package ort_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/tensor"
)

// Everything the engine makes is given back. Each case makes objects that would
// add up to 40 MB or more if they were kept; the allocator itself may keep some.
func TestNothingLeaks(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("resident memory is read from /proc")
	}
	const limit = 20 << 20
	for _, once := range leakCases(t) {
		t.Run(once.name, func(t *testing.T) {
			for range 20 {
				once.do()
			}
			// A leak grows in every round, what allocators keep for later does not.
			grown := int64(math.MaxInt64)
			for round := 0; round < 3 && grown > limit; round++ {
				before := resident(t)
				for range once.times {
					once.do()
				}
				grown = min(grown, resident(t)-before)
			}
			if grown > limit {
				t.Errorf("%d times more took %d KiB that did not come back, each of three times", once.times, grown>>10)
			}
		})
	}
}

type leakCase struct {
	name  string
	times int
	do    func()
}

func leakCases(t *testing.T) []leakCase {
	engine := open(t)
	fails := func(err error) {
		if err == nil {
			t.Error("no error")
		}
	}
	must := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	heavy := heavyModel(t)
	wide, deep := gather(t), highRank(t)
	many, tiny := load(t, deep), floats("x", slices.Repeat([]int64{1}, rank), 1)
	numbers := floats("x", []int64{32 << 10}, make([]float32, 32<<10)...)
	long := texts("s", []int64{64}, strings.Split(strings.Repeat(strings.Repeat("long ", 60)+"\n", 63)+"b", "\n")...)
	return []leakCase{
		{"sessions", 150, func() {
			session, err := engine.NewSessionFromBytes(heavy, plain)
			must(err)
			must(session.Close())
		}},
		{"sessions not closed", 60, func() {
			_, err := engine.NewSessionFromBytes(heavy, plain)
			must(err)
			runtime.GC()
		}},
		{"descriptions", 100, func() {
			_, err := engine.InferShapes(deep, false)
			must(err)
		}},
		{"values", 400, func() {
			_, err := wide.Run(list(numbers, ints("i", []int64{1}, 1), long), nil)
			must(err)
		}},
		{"descriptions of values", 600, func() {
			_, err := many.Run(list(tiny), nil)
			must(err)
		}},
		{"values and statuses of failed runs", 2500, func() {
			_, err := wide.Run(list(numbers, ints("i", []int64{1}, 1<<20), long), nil)
			fails(err)
		}},
	}
}

// heavyModel holds a weight of 1 MB.
func heavyModel(t *testing.T) []byte {
	return graph{
		nodes:   list(node("Add", "y", "x", "w")),
		inputs:  list(modelbuilder.ValueInfo("x", tensor.Float32, 1)),
		outputs: list(untyped("y")),
		weights: list(modelbuilder.Tensor("w", tensor.Float32, []int64{256 << 10}, make([]float32, 256<<10))),
	}.bytes(t)
}

// rank is a number of dimensions that makes descriptions large.
const rank = 2000

// highRank has an output with a long name and description.
func highRank(t *testing.T) []byte {
	dims := make([]any, rank)
	for i := range dims {
		dims[i] = fmt.Sprintf("a dimension with a long name, number %d", i)
	}
	y := strings.Repeat("y", 400<<10)
	return graph{
		nodes:   list(node("Neg", y, "x")),
		inputs:  list(modelbuilder.ValueInfo("x", tensor.Float32, dims...)),
		outputs: list(untyped(y)),
	}.bytes(t)
}

// gather gives large outputs, or a long error when the index is too large.
func gather(t *testing.T) interface {
	Run([]tensor.Tensor, []string) ([]tensor.Tensor, error)
} {
	pick := node("Gather", "picked", "x", "i")
	pick.Name = proto.String(string(bytes.Repeat([]byte("n"), 32<<10)))
	return load(t, graph{
		nodes: list(node("Identity", "texts", "s"), node("Neg", "negative", "x"), pick),
		inputs: list(
			modelbuilder.ValueInfo("x", tensor.Float32, 32<<10), modelbuilder.ValueInfo("i", tensor.Int64, 1),
			modelbuilder.ValueInfo("s", tensor.String, 64),
		),
		outputs: list(untyped("negative"), untyped("texts"), untyped("picked")),
	}.bytes(t))
}

// resident is the memory of this process that lies in RAM, in bytes, without
// what Go has no use for.
func resident(t *testing.T) int64 {
	debug.FreeOSMemory()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(data), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

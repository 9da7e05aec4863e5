package paper

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// chain makes one of T and m.
func chain(transfer []float64, block []int64) *Chain {
	return &Chain{Transfer: transfer, Block: block, Points: make([]int, len(block))}
}

// The partition has the least sum of transfers, and neither side of a cut counts the
// block behind it.
func TestPartition(t *testing.T) {
	tens := []int64{10, 10, 10, 10, 10, 10, 10, 10}
	for _, c := range []struct {
		name     string
		transfer []float64
		capacity int64
		nodes    int
		want     []int // the last points of all parts but the last
		err      error
	}{
		{"one part", []float64{1, 1, 1, 1, 0}, 41, 4, nil, ErrOneNode},
		{"one that fills its node does not fit", []float64{9, 5, 9, 9, 0}, 40, 4, []int{1}, nil},
		{"one large cut is better than two that are smaller", []float64{6, 9, 9, 6, 0}, 21, 4, []int{1}, nil},
		{"two small cuts are better than a large one", []float64{4, 9, 4, 9, 0}, 11, 4, []int{0, 2}, nil},
		{"no block is counted where every point is a part", []float64{1, 1, 1, 1, 0}, 1, 5, []int{0, 1, 2, 3}, nil},
		{"too few nodes", []float64{1, 1, 1, 1, 0}, 1, 4, nil, ErrMemory},
		// With three points to a part only {2, 5} has three parts, but from (0, 3) the
		// cuts {4, 7} are cheaper. That path is dropped, and with it the root.
		{"a root is lost with its cheapest path", []float64{1, 1, 1, 1, 1, 9, 1, 1, 0}, 21, 3, nil, ErrMemory},
		{"with one node more it is not", []float64{1, 1, 1, 1, 1, 9, 1, 1, 0}, 21, 4, []int{0, 3, 6}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := chain(c.transfer, append(tens[:len(c.transfer)-1:len(c.transfer)-1], 0)).Partition(c.capacity, c.nodes)
			if diff := cmp.Diff(c.want, got); diff != "" || !errors.Is(err, c.err) {
				t.Errorf("%v, %v\n%s", got, err, diff)
			}
		})
	}
}

// A block between two parts fits nowhere, and nobody notices.
func TestTheBlockBehindACutIsNotCounted(t *testing.T) {
	c := chain([]float64{9, 1, 9, 0}, []int64{10, 1000, 10, 0})
	c.Weights, c.Live = make([]int64, 4), make([]int64, 4)
	cuts, err := c.Partition(50, 2)
	if diff := cmp.Diff([]int{1}, cuts); diff != "" || err != nil {
		t.Fatal(err, diff)
	}
	if fit := c.FitOf(cuts, 50); !fit.Published || fit.Whole {
		t.Errorf("a part of 1010 bytes on a node of 50: %+v", fit)
	}
}

// Bins of equal width from the least to the most; the most is above all classes.
func TestClasses(t *testing.T) {
	c := chain([]float64{0, 4.9, 5, 6, 10, 0}, make([]int64, 6))
	for classes, want := range map[int][]int{2: {1, 1, 2, 2, 3}, 5: {1, 3, 3, 4, 6}} {
		if diff := cmp.Diff(want, c.Classes([]int{0, 1, 2, 3, 4}, classes)); diff != "" {
			t.Errorf("C = %d: %s", classes, diff)
		}
	}
}

func TestPack(t *testing.T) {
	c := chain(make([]float64, 6), []int64{10, 10, 10, 10, 10, 0})
	for capacity, want := range map[int64][]int{11: {3}, 1: {2, 5}, 100: nil} {
		got := c.pack(capacity)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("capacity %d: %s", capacity, diff)
		}
	}
}

package measurement

import (
	"bytes"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func anyNode() *rapid.Generator[string] {
	return rapid.Map(rapid.IntRange(0, 5), func(i int) string { return fmt.Sprintf("node.pi[\"%d<&>\"]", i) })
}

func anyTime() *rapid.Generator[time.Time] {
	return rapid.Map(rapid.Int64Range(0, 253402300799), func(s int64) time.Time { return time.Unix(s, 0).UTC() })
}

func anyProfile() *rapid.Generator[Profile] {
	return rapid.Custom(func(t *rapid.T) Profile {
		first := rapid.IntRange(0, 5).Draw(t, "first")
		return Profile{
			Node: anyNode().Draw(t, "node"), Model: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "model"),
			Digest: sum, Dimensions: rapid.SampledFrom([]string{"", "batch=1", "batch=8"}).Draw(t, "dimensions"), Optimization: rapid.SampledFrom([]string{"disabled", "all"}).Draw(t, "level"),
			Threads: rapid.IntRange(0, 2).Draw(t, "threads"), FirstSegment: first, LastSegment: first + rapid.IntRange(0, 3).Draw(t, "more"),
			Seconds: rapid.Float64Range(leastSeconds, mostSeconds).Draw(t, "seconds"),
			Spread:  rapid.Float64Range(0, mostSpread).Draw(t, "spread"), Deviation: rapid.Float64Range(0, mostSpread).Draw(t, "deviation"), PeakMemoryBytes: rapid.Int64Range(0, mostBytes).Draw(t, "peak"),
			ServingCPUSeconds: rapid.Float64Range(0, mostSeconds).Draw(t, "serving"), ServingPeakMemoryBytes: rapid.Int64Range(0, mostBytes).Draw(t, "serving peak"),
			MeasuredAt: anyTime().Draw(t, "at"),
		}
	})
}

func anyLink() *rapid.Generator[Link] {
	return rapid.Custom(func(t *rapid.T) Link {
		return Link{
			From: anyNode().Draw(t, "from"), To: anyNode().Draw(t, "to"),
			BandwidthBytesPerSecond: rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(leastRate, mostRate)).Draw(t, "bandwidth"),
			RoundTripSeconds:        rapid.Float64Range(0, mostSeconds).Draw(t, "round trip"),
			Spread:                  rapid.Float64Range(0, mostSpread).Draw(t, "spread"), MeasuredAt: anyTime().Draw(t, "at"),
		}
	})
}

func anyNodes() *rapid.Generator[Node] {
	return rapid.Custom(func(t *rapid.T) Node {
		return Node{
			Node: anyNode().Draw(t, "node"), Architecture: "linux/arm", Cores: rapid.IntRange(0, mostCount).Draw(t, "cores"),
			MemoryBytes: rapid.Int64Range(0, mostBytes).Draw(t, "memory"), MemoryTotalBytes: rapid.Int64Range(0, mostBytes).Draw(t, "total"),
			MemoryLimitBytes: rapid.Int64Range(0, mostBytes).Draw(t, "limit"), DiskFreeBytes: rapid.Int64Range(0, math.MaxInt64).Draw(t, "disk"),
			ComputeFLOPPerSecond: rapid.Float64Range(0, mostCompute).Draw(t, "compute"), CPUSecondsPerByte: rapid.Float64Range(0, 1).Draw(t, "cpu"), CPUSecondsPerRequest: rapid.Float64Range(0, 1).Draw(t, "request"),
			ClockOffsetSeconds: rapid.Float64().Filter(func(x float64) bool { return !math.IsInf(x, 0) && !math.IsNaN(x) }).Draw(t, "offset"),
			MeasuredAt:         anyTime().Draw(t, "at"),
		}
	})
}

// anything is some measurements, in any order.
func anything() *rapid.Generator[*Measurements] {
	return rapid.Custom(func(t *rapid.T) *Measurements {
		return &Measurements{
			Nodes:    rapid.SliceOfDistinct(anyNodes(), func(n Node) string { return n.Node }).Draw(t, "nodes"),
			Links:    rapid.SliceOfDistinct(anyLink().Filter(func(l Link) bool { return l.From != l.To }), func(l Link) string { return l.From + l.To }).Draw(t, "links"),
			Profiles: rapid.SliceOfDistinct(anyProfile(), func(p Profile) string { return fmt.Sprint(p.key()) }).Draw(t, "profiles"),
		}
	})
}

// What is written is read as it was, and written again as the same bytes.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := anything().Draw(t, "measurements")
		src, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode("f", src)
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		if diff := cmp.Diff(sorted(m), got); diff != "" {
			t.Fatal(diff)
		}
		if again, err := Encode(got); err != nil || !bytes.Equal(src, again) {
			t.Fatalf("%v\n%s\n%s", err, src, again)
		}
	})
}

// After a merge every key of either is there once: the newer value where there is one.
func TestMergeLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		older, newer := anything().Draw(t, "older"), anything().Draw(t, "newer")
		both := Merge(older, newer)
		if _, err := Encode(both); err != nil {
			t.Fatal(err)
		}
		got, last := map[any]Link{}, map[any]Link{}
		for _, l := range both.Links {
			got[l.key()] = l
		}
		for _, l := range append(append([]Link{}, older.Links...), newer.Links...) {
			last[l.key()] = l
		}
		if diff := cmp.Diff(last, got); diff != "" {
			t.Fatal(diff)
		}
		keys := map[any]bool{}
		for _, p := range append(append([]Profile{}, older.Profiles...), newer.Profiles...) {
			keys[p.key()] = true
		}
		if len(keys) != len(both.Profiles) {
			t.Fatalf("%d profiles of %d keys", len(both.Profiles), len(keys))
		}
		if diff := cmp.Diff(both, Merge(both, newer)); diff != "" {
			t.Fatalf("merging twice is not merging once: %s", diff)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(encoded(f, some())))
	f.Add([]byte(`{"format_version":1,"nodes":null,"links":[],"profiles":[{}]}`))
	f.Add([]byte("{\"format_version\":1}\n<<<<<<< a\n=======\n>>>>>>> b\n"))
	f.Add([]byte(`{"format_version":1,"links":[{"from":"a","to":"b","bandwidth_bytes_per_second":1e3,"round_trip_seconds":0,"spread":0,"measured_at":"2026-05-01T10:00:00+14:00"}]}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		m, err := Decode("f", src)
		if err != nil {
			for _, fault := range err.(*Faults).All {
				if fault.Line < 1 || fault.Column < 1 || fault.Problem == "" {
					t.Errorf("a fault without a place: %+v", fault)
				}
			}
			return
		}
		again, err := Decode("f", []byte(encoded(t, m)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Error(diff)
		}
	})
}

package measurement

import "testing"

func TestBoundDimensions(t *testing.T) {
	for want, sizes := range map[string]map[string]int64{
		"":                    nil,
		"batch=8":             {"batch": 8},
		"batch=8, length=128": {"length": 128, "batch": 8},
	} {
		if got := BoundDimensions(sizes); got != want {
			t.Errorf("%v is %q, want %q", sizes, got, want)
		}
	}
}

// The same range with other dimensions is another measurement: neither replaces the other.
func TestMergeOfOtherDimensions(t *testing.T) {
	one, eight := some().Profiles[0], some().Profiles[0]
	one.Dimensions, eight.Dimensions, eight.Seconds = "batch=1", "batch=8", 8*one.Seconds
	both := Merge(&Measurements{Profiles: []Profile{eight}}, &Measurements{Profiles: []Profile{one}})
	if len(both.Profiles) != 2 || both.Profiles[0] != one || both.Profiles[1] != eight {
		t.Errorf("%+v", both.Profiles)
	}
}

package main

import (
	"fmt"
	"testing"
)

// Pairs of which both send over one radio are tested one after the other, whatever the
// other directions of them are on.
func TestLinkRoundsOfTwoMedia(t *testing.T) {
	for range 50 { // in whatever order the map is gone through
		rounds := linkRounds(map[direction]string{
			{"a", "b"}: "network.wifi", {"b", "a"}: "network.mesh",
			{"c", "d"}: "network.wifi", {"d", "c"}: "",
			{"e", "f"}: "", {"f", "e"}: "network.mesh",
		})
		want := [][][]direction{
			{{{"a", "b"}, {"b", "a"}}},
			{{{"c", "d"}, {"d", "c"}}, {{"e", "f"}, {"f", "e"}}},
		}
		if fmt.Sprint(rounds) != fmt.Sprint(want) {
			t.Fatalf("rounds %v, want %v", rounds, want)
		}
	}
}

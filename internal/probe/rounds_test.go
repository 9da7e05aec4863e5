package probe

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// All pairs of n devices take the fewest rounds that there can be.
func TestRoundsOfAllPairs(t *testing.T) {
	for n := 2; n <= 40; n++ {
		rounds := Rounds(n, allPairs(n))
		if want := n - 1 + n%2; len(rounds) != want {
			t.Errorf("%d devices: %d rounds, want %d", n, len(rounds), want)
		}
		if err := checkRounds(n, allPairs(n), rounds); err != nil {
			t.Errorf("%d devices: %v", n, err)
		}
	}
}

// Any pairs: every pair is tested once, no device twice in a round, and there are at
// most one round more than the busiest device has pairs (Vizing).
func TestRoundsOfAnyPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 24).Draw(t, "devices")
		pairs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Pair {
			return Pair{rapid.IntRange(0, n-1).Draw(t, "a"), rapid.IntRange(0, n-1).Draw(t, "b")}
		}), 0, 120).Draw(t, "pairs")
		rounds := Rounds(n, pairs)
		if err := checkRounds(n, pairs, rounds); err != nil {
			t.Fatal(err)
		}
		if most := busiest(n, distinct(pairs)); len(rounds) > most+1 {
			t.Fatalf("%d rounds, and the busiest device has %d pairs", len(rounds), most)
		}
		if again := Rounds(n, pairs); fmt.Sprint(again) != fmt.Sprint(rounds) {
			t.Fatal("the same pairs gave other rounds")
		}
	})
}

// On a shared medium one pair is tested at a time, beside pairs elsewhere.
func TestMedia(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 16).Draw(t, "devices")
		radio := rapid.IntRange(0, n).Draw(t, "of them on the radio")
		media := func(p Pair) []string {
			if p.B < radio {
				return []string{"network.wifi"}
			}
			return nil
		}
		rounds := Media(Rounds(n, allPairs(n)), media)
		if err := checkRounds(n, allPairs(n), rounds); err != nil {
			t.Fatal(err)
		}
		for _, round := range rounds {
			on := 0
			for _, p := range round {
				if media(p) != nil {
					on++
				}
			}
			if on > 1 {
				t.Fatalf("%d tests at once on the radio: %v", on, round)
			}
		}
		if least := max(len(Rounds(n, allPairs(n))), radio*(radio-1)/2); len(rounds) > least+n {
			t.Fatalf("%d rounds, and %d have to be", len(rounds), least)
		}
	})
}

func allPairs(n int) []Pair {
	var pairs []Pair
	for a := range n {
		for b := a + 1; b < n; b++ {
			pairs = append(pairs, Pair{a, b})
		}
	}
	return pairs
}

func checkRounds(n int, pairs []Pair, rounds [][]Pair) error {
	seen := map[Pair]bool{}
	for i, round := range rounds {
		if len(round) == 0 {
			return fmt.Errorf("round %d is empty", i)
		}
		busy := make([]bool, n)
		for _, p := range round {
			if busy[p.A] || busy[p.B] {
				return fmt.Errorf("round %d has a device twice: %v", i, round)
			}
			if seen[p] {
				return fmt.Errorf("%v is tested twice", p)
			}
			busy[p.A], busy[p.B], seen[p] = true, true, true
		}
	}
	for _, p := range distinct(pairs) {
		if !seen[p] {
			return fmt.Errorf("%v is not tested", p)
		}
	}
	return nil
}

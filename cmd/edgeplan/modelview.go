package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/onnx"
)

// bestCutsShown is how many of the best cuts are listed and marked.
const bestCutsShown = 8

// printChain shows a model as a table and a picture.
func (c *cli) printChain(chain *onnx.Chain) {
	fmt.Fprintf(c.stdout, "%s: %s\n\n", c.paint(c.stdout, bold, filepath.Base(chain.Path)), count(len(chain.Segments), "node"))
	rows := append(tensorRows("input", chain.Inputs), tensorRows("output", chain.Outputs)...)
	printTable(c.stdout, append(rows,
		[]string{"parameters", quantity.FormatBytes(chain.ParameterBytes)},
		[]string{"compute", quantity.FormatFLOP(chain.FLOPs) + " per inference"},
		[]string{"activations", quantity.FormatBytes(peakActivations(chain)) + " at most at one time"},
		[]string{"cuts", cutSummary(chain)},
	))
	best := bestCuts(chain, bestCutsShown)
	if len(best) > 0 {
		fmt.Fprint(c.stdout, "\nBest cuts:\n\n")
		printTable(c.stdout, cutRows(chain, best))
	}
	fmt.Fprintln(c.stdout)
	for _, line := range profileText(chain, best, int(c.width(c.stdout))-4) {
		fmt.Fprintf(c.stdout, "  %s\n", line)
	}
}

func tensorRows(noun string, tensors []tensor.Info) [][]string {
	var rows [][]string
	for _, t := range tensors {
		rows = append(rows, []string{noun, fmt.Sprintf("%s %s %v", printable(t.Name), t.Type, t.Shape)})
	}
	return rows
}

// printable is a text of the model's that neither moves the cursor nor breaks a table.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, text)
}

func peakActivations(chain *onnx.Chain) int64 {
	var peak int64
	for _, s := range chain.Segments {
		peak = max(peak, s.ActivationBytes)
	}
	return peak
}

// cutSummary counts the places between nodes by what a cut there means.
func cutSummary(chain *onnx.Chain) string {
	offered, split, impossible := 0, 0, 0
	for _, cut := range inner(chain) {
		switch {
		case cut.Uncuttable != "":
			impossible++
		case cut.SplitsFusion:
			split++
		default:
			offered++
		}
	}
	text := fmt.Sprintf("%d offered, %d more would split what the engine fuses", offered, split)
	if impossible > 0 {
		text += fmt.Sprintf(", %d impossible", impossible)
	}
	return text + fmt.Sprintf("; %s of arXiv 2210.12219", count(len(chain.CandidatePoints()), "candidate point"))
}

// inner are the cuts between two nodes.
func inner(chain *onnx.Chain) []onnx.Cut { return chain.Cuts[1:len(chain.Segments)] }

// bestCuts are up to n offered cuts with the fewest bytes, in order of position. A cut
// next to a better one is left out, so that they spread over the model; of equals the
// one that halves the work best comes first.
func bestCuts(chain *onnx.Chain, n int) []onnx.Cut {
	before := flopsBefore(chain)
	imbalance := func(cut onnx.Cut) int64 { return max(before[cut.Position], chain.FLOPs-before[cut.Position]) }
	var offered, best []onnx.Cut
	for _, cut := range inner(chain) {
		if cut.Uncuttable == "" && !cut.SplitsFusion {
			offered = append(offered, cut)
		}
	}
	slices.SortStableFunc(offered, func(a, b onnx.Cut) int {
		return cmp.Or(cmp.Compare(a.Bytes, b.Bytes), cmp.Compare(imbalance(a), imbalance(b)))
	})
	apart := len(chain.Segments) / (2 * n)
	for _, cut := range offered {
		near := slices.ContainsFunc(best, func(b onnx.Cut) bool { return max(b.Position-cut.Position, cut.Position-b.Position) <= apart })
		if len(best) < n && !near {
			best = append(best, cut)
		}
	}
	slices.SortFunc(best, func(a, b onnx.Cut) int { return a.Position - b.Position })
	return best
}

// flopsBefore is the work before every cut.
func flopsBefore(chain *onnx.Chain) []int64 {
	before := make([]int64, len(chain.Cuts))
	for s, segment := range chain.Segments {
		before[s+1] = before[s] + min(segment.FLOPs, chain.FLOPs-before[s])
	}
	return before
}

func cutRows(chain *onnx.Chain, cuts []onnx.Cut) [][]string {
	before := flopsBefore(chain)
	rows := [][]string{{"cut", "after", "tensors", "bytes", "work before"}}
	for _, cut := range cuts {
		rows = append(rows, []string{
			fmt.Sprint(cut.Position),
			printable(chain.Segments[cut.Position-1].Node),
			printable(tensorNames(cut.Tensors)),
			quantity.FormatBytes(cut.Bytes),
			quantity.FormatPercent(share(before[cut.Position], chain.FLOPs)),
		})
	}
	return rows
}

// share is a part of a whole, rounded to thousandths.
func share(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(int64(float64(part)/float64(whole)*1000+0.5)) / 1000
}

// profileText draws bytes alive and work along the order, with the best cuts marked
// below, in at most width columns.
func profileText(chain *onnx.Chain, best []onnx.Cut, width int) []string {
	alive, flops := profile(chain)
	columns := min(max(width, 16), len(alive))
	lines := []string{fmt.Sprintf("bytes alive, up to %s", quantity.FormatBytes(int64(slices.Max(alive))))}
	lines = append(lines, bars(squeeze(alive, columns), 6)...)
	lines = append(lines, fmt.Sprintf("work, up to %s in one node", quantity.FormatFLOP(int64(slices.Max(flops)))))
	lines = append(lines, bars(squeeze(flops, columns), 4)...)
	marks, labels := []rune(strings.Repeat(" ", columns)), ""
	for _, cut := range best {
		at := cut.Position * columns / len(alive)
		marks[at] = '▲'
		label := fmt.Sprint(cut.Position)
		if gap := at - len(label)/2 - len(labels); gap > 0 || labels == "" {
			labels += strings.Repeat(" ", max(gap, 0)) + label
		}
	}
	return append(lines, strings.TrimRight(string(marks), " "), labels)
}

// profile is the bytes of every cut, and the work of the node after it.
func profile(chain *onnx.Chain) (alive, flops []float64) {
	alive, flops = make([]float64, len(chain.Cuts)), make([]float64, len(chain.Cuts))
	for b, cut := range chain.Cuts {
		alive[b] = float64(cut.Bytes)
	}
	for s, segment := range chain.Segments {
		flops[s] = float64(segment.FLOPs)
	}
	return alive, flops
}

// squeeze brings values into fewer columns, each the largest of its values.
func squeeze(values []float64, columns int) []float64 {
	out := make([]float64, columns)
	for i, v := range values {
		at := i * columns / len(values)
		out[at] = max(out[at], v)
	}
	return out
}

// bars draws columns of eighths of a line, with the largest value as high as the
// lines. What is more than nothing shows.
func bars(values []float64, height int) []string {
	const steps = " ▁▂▃▄▅▆▇█"
	ramp := []rune(steps)
	highest := slices.Max(values)
	lines := make([]string, height)
	for _, v := range values {
		eighths := 0
		if v > 0 {
			eighths = max(1, int(v/highest*float64(8*height)+0.5))
		}
		for row := range height {
			fill := min(max(eighths-8*(height-1-row), 0), 8)
			lines[row] += string(ramp[fill])
		}
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

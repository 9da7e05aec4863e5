package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"path/filepath"
	"slices"

	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/onnx"
)

// Places in the picture, in pixels.
const (
	svgWidth, svgHeight    = 960, 490
	plotLeft, plotWidth    = 84, 856
	aliveTop, aliveHeight  = 114, 190
	flopsTop, flopsHeight  = 340, 90
	aliveColor, flopsColor = "#2f6f9f", "#b0662a"
	cutColor, axisColor    = "#1d7a3d", "#666666"
)

// profileSVG draws bytes alive and work along the order, with the best cuts marked.
func profileSVG(chain *onnx.Chain) []byte {
	alive, flops := profile(chain)
	var out bytes.Buffer
	title := escape(filepath.Base(chain.Path))
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", svgWidth, svgHeight)
	fmt.Fprintf(&out, "<title>%s: bytes alive and work along the order of its nodes</title>\n", title)
	fmt.Fprintf(&out, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", svgWidth, svgHeight)
	fmt.Fprintf(&out, `<text x="20" y="26" font-size="16" font-weight="bold">%s</text>`+"\n", title)
	fmt.Fprintf(&out, `<text x="20" y="46">%s, %s of parameters, %s per inference</text>`+"\n",
		count(len(chain.Segments), "node"), quantity.FormatBytes(chain.ParameterBytes), quantity.FormatFLOP(chain.FLOPs))
	svgPlot(&out, alive, svgPanel{"bytes alive at every cut", aliveTop - 42, aliveTop, aliveHeight, 1024, aliveColor, quantity.FormatBytes})
	svgPlot(&out, flops, svgPanel{"work of every node", flopsTop - 10, flopsTop, flopsHeight, 1000, flopsColor, quantity.FormatFLOP})
	svgPositions(&out, len(chain.Cuts))
	svgCuts(&out, chain, bestCuts(chain, bestCutsShown))
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// escape makes a text of the model's fit for XML.
func escape(text string) string { return html.EscapeString(printable(text)) }

// svgPanel is one of the plots: what it shows, its place, and its unit.
type svgPanel struct {
	title       string
	titleAt     int // above the plot
	top, height int
	base        float64 // of the unit: 1024 or 1000
	color       string
	format      func(int64) string
}

// svgPlot draws an axis and one bar for each value, side by side, as one shape.
func svgPlot(out *bytes.Buffer, values []float64, p svgPanel) {
	bottom := float64(p.top + p.height)
	highest := max(slices.Max(values), 1)
	scale := float64(p.height) / highest
	fmt.Fprintf(out, `<text x="%d" y="%d" fill="%s" font-weight="bold">%s</text>`+"\n", plotLeft, p.titleAt, p.color, p.title)
	for tick := 0.0; tick <= highest; tick += tickStep(highest, p.base) {
		y := bottom - tick*scale
		fmt.Fprintf(out, `<line x1="%d" y1="%.2f" x2="%d" y2="%.2f" stroke="#dddddd"/>`, plotLeft, y, plotLeft+plotWidth, y)
		fmt.Fprintf(out, `<text x="%d" y="%.2f" text-anchor="end" fill="%s" font-size="11">%s</text>`+"\n", plotLeft-8, y+4, axisColor, p.format(int64(tick)))
	}
	fmt.Fprintf(out, `<path fill="%s" d="M%d %.2f`, p.color, plotLeft, bottom)
	for i, v := range values {
		fmt.Fprintf(out, "V%.2fH%.2f", bottom-v*scale, svgX(i+1, len(values)))
	}
	fmt.Fprintf(out, `V%.2fZ"/>`+"\n", bottom)
}

// tickStep is a round number, 1, 2 or 5 times a power of ten of some unit, at least 1,
// that divides an axis up to the highest value into at most four.
func tickStep(highest, base float64) float64 {
	unit := 1.0
	for highest >= unit*base {
		unit *= base
	}
	for power := 0.1; ; power *= 10 {
		for _, digit := range []float64{1, 2, 5} {
			if step := digit * power * unit; step >= 1 && step*4 >= highest {
				return step
			}
		}
	}
}

// svgX is where the bar of a position begins.
func svgX(position, positions int) float64 {
	return plotLeft + plotWidth*float64(position)/float64(positions)
}

// svgMiddle is the middle of the bar of a position.
func svgMiddle(position, positions int) float64 {
	return (svgX(position, positions) + svgX(position+1, positions)) / 2
}

// svgPositions labels the positions below the plots.
func svgPositions(out *bytes.Buffer, positions int) {
	step := max(1, int(math.Round(tickStep(float64(positions)/2.5, 1e18))))
	for b := 0; b < positions; b += step {
		x := svgMiddle(b, positions)
		fmt.Fprintf(out, `<line x1="%.2f" y1="%d" x2="%.2f" y2="%d" stroke="%s"/>`, x, flopsTop+flopsHeight, x, flopsTop+flopsHeight+5, axisColor)
		fmt.Fprintf(out, `<text x="%.2f" y="%d" text-anchor="middle" fill="%s" font-size="11">%d</text>`+"\n", x, flopsTop+flopsHeight+18, axisColor, b)
	}
	fmt.Fprintf(out, `<text x="%d" y="%d" text-anchor="middle" fill="%s">position in the order: cut b lies before node b</text>`+"\n",
		plotLeft+plotWidth/2, flopsTop+flopsHeight+38, axisColor)
}

// svgCuts marks cuts through both plots with their position, and what they carry as a
// tooltip. Labels of neighbours stand on two lines, so that they do not overlap.
func svgCuts(out *bytes.Buffer, chain *onnx.Chain, cuts []onnx.Cut) {
	const labelWidth = 74
	right := [2]float64{}
	for _, cut := range cuts {
		x := svgMiddle(cut.Position, len(chain.Cuts))
		row := 0
		if x-labelWidth/2 < right[0] && right[1] <= right[0] {
			row = 1
		}
		right[row] = x + labelWidth/2
		fmt.Fprintf(out, `<g fill="%s"><title>cut %d after %s: %s, %s</title>`, cutColor, cut.Position, escape(chain.Segments[cut.Position-1].Node),
			escape(tensorNames(cut.Tensors)), quantity.FormatBytes(cut.Bytes))
		fmt.Fprintf(out, `<line x1="%.2f" y1="%d" x2="%.2f" y2="%d" stroke="%s" stroke-dasharray="4 3"/>`, x, aliveTop-4-14*row, x, flopsTop+flopsHeight, cutColor)
		fmt.Fprintf(out, `<text x="%.2f" y="%d" text-anchor="middle" font-size="11">%d: %s</text></g>`+"\n", min(x, svgWidth-labelWidth/2-4), aliveTop-8-14*row,
			cut.Position, quantity.FormatBytes(cut.Bytes))
	}
	if len(cuts) > 0 {
		fmt.Fprintf(out, `<text x="%d" y="46" text-anchor="end" fill="%s">dashed: the best cuts, and the bytes that they carry</text>`+"\n", plotLeft+plotWidth, cutColor)
	}
}

package main

import (
	"bytes"
	"fmt"
	"html"
	"path/filepath"
	"slices"

	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/onnx"
)

// Places in the picture, in pixels.
const (
	svgWidth, svgHeight    = 960, 440
	plotLeft, plotWidth    = 20, 920
	aliveTop, aliveHeight  = 70, 180
	flopsTop, flopsHeight  = 300, 90
	aliveColor, flopsColor = "#2f6f9f", "#b0662a"
)

// profileSVG draws bytes alive and work along the order, with the best cuts marked.
func profileSVG(chain *onnx.Chain) []byte {
	alive, flops := profile(chain)
	best := bestCuts(chain, bestCutsShown)
	var out bytes.Buffer
	title := html.EscapeString(filepath.Base(chain.Path))
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", svgWidth, svgHeight)
	fmt.Fprintf(&out, "<title>%s: bytes alive and work along the order of its nodes</title>\n", title)
	fmt.Fprintf(&out, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", svgWidth, svgHeight)
	fmt.Fprintf(&out, `<text x="%d" y="24" font-size="16" font-weight="bold">%s</text>`+"\n", plotLeft, title)
	fmt.Fprintf(&out, `<text x="%d" y="44">%s, %s of parameters, %s per inference</text>`+"\n", plotLeft,
		count(len(chain.Segments), "node"), quantity.FormatBytes(chain.ParameterBytes), quantity.FormatFLOP(chain.FLOPs))
	fmt.Fprintf(&out, `<text x="%d" y="%d" fill="%s">bytes alive, up to %s</text>`+"\n", plotLeft, aliveTop-6, aliveColor,
		quantity.FormatBytes(int64(slices.Max(alive))))
	svgBars(&out, alive, aliveTop, aliveHeight, aliveColor)
	fmt.Fprintf(&out, `<text x="%d" y="%d" fill="%s">work, up to %s in one node</text>`+"\n", plotLeft, flopsTop-6, flopsColor,
		quantity.FormatFLOP(int64(slices.Max(flops))))
	svgBars(&out, flops, flopsTop, flopsHeight, flopsColor)
	svgCuts(&out, chain, best)
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// svgBars draws one bar for each value, side by side, as one shape.
func svgBars(out *bytes.Buffer, values []float64, top, height int, color string) {
	bottom := float64(top + height)
	scale := 0.0
	if highest := slices.Max(values); highest > 0 {
		scale = float64(height) / highest
	}
	fmt.Fprintf(out, `<path fill="%s" d="M%d %.2f`, color, plotLeft, bottom)
	for i, v := range values {
		fmt.Fprintf(out, "V%.2fH%.2f", bottom-v*scale, svgX(i+1, len(values)))
	}
	fmt.Fprintf(out, `V%.2fZ"/>`+"\n", bottom)
}

// svgX is where the bar of a position begins.
func svgX(position, positions int) float64 {
	return plotLeft + plotWidth*float64(position)/float64(positions)
}

// svgCuts marks cuts through both plots, with what they carry as a tooltip.
func svgCuts(out *bytes.Buffer, chain *onnx.Chain, cuts []onnx.Cut) {
	for _, cut := range cuts {
		x := (svgX(cut.Position, len(chain.Cuts)) + svgX(cut.Position+1, len(chain.Cuts))) / 2
		fmt.Fprintf(out, `<g><title>cut %d after %s: %s, %s</title>`, cut.Position, html.EscapeString(chain.Segments[cut.Position-1].Node),
			html.EscapeString(tensorNames(cut.Tensors)), quantity.FormatBytes(cut.Bytes))
		fmt.Fprintf(out, `<line x1="%.2f" y1="%d" x2="%.2f" y2="%d" stroke="#333333" stroke-dasharray="3 3"/>`, x, aliveTop, x, flopsTop+flopsHeight)
		fmt.Fprintf(out, `<text x="%.2f" y="%d" text-anchor="middle">%d</text></g>`+"\n", x, flopsTop+flopsHeight+18, cut.Position)
	}
	fmt.Fprintf(out, `<text x="%d" y="%d">best cuts, by position</text>`+"\n", plotLeft, flopsTop+flopsHeight+38)
}

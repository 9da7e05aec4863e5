package main

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// panel is one of the plots of a figure.
type panel struct {
	title, x, y string
	logX, logY  bool
	one         bool // a line marks where a ratio is 1
	lines       []series
}

// series are estimates over x.
type series struct {
	name string
	look look
	x    []float64
	e    []estimate
}

func (s *series) add(x float64, e estimate) {
	if e.n > 1 || e.n == 1 && !s.look.wide {
		s.x, s.e = append(s.x, x), append(s.e, e)
	}
}

// Len, XY and YError make a series what gonum plots.
func (s series) Len() int                { return len(s.x) }
func (s series) XY(i int) (x, y float64) { return s.x[i], s.e[i].mean }
func (s series) YError(i int) (low, high float64) {
	if s.e[i].n < 2 {
		return 0, 0
	}
	// Bottlenecks are positive, and a logarithmic scale ends before 0.
	return min(s.e[i].half, 0.9*s.e[i].mean), s.e[i].half
}

// look tells series apart, also without colours.
type look struct {
	colour color.RGBA
	shape  draw.GlyphDrawer
	size   vg.Length // of the points
	line   vg.Length // 0 for points alone
	wide   bool      // the confidence interval is drawn
}

// The colours of Okabe and Ito, which the colour-blind can tell apart.
var (
	grey   = look{color.RGBA{110, 110, 110, 255}, draw.CrossGlyph{}, 2.5, 1, true}
	orange = look{color.RGBA{213, 94, 0, 255}, draw.CircleGlyph{}, 2.2, 1, true}
	blue   = look{color.RGBA{0, 114, 178, 255}, draw.SquareGlyph{}, 3, 1, true}
	purple = look{color.RGBA{204, 121, 167, 255}, draw.PyramidGlyph{}, 2.5, 1, true}
	green  = look{color.RGBA{0, 158, 115, 255}, draw.TriangleGlyph{}, 2.5, 1, true}
	// below lies under the others, so that they do not hide it.
	below = look{color.RGBA{145, 215, 190, 255}, draw.BoxGlyph{}, 3, 4, false}
)

// alone is the look of points without a line.
func (l look) alone() look {
	return look{colour: l.colour, shape: draw.RingGlyph{}, size: 4}
}

// parts are what is drawn of a series, in order.
func (s series) parts() (out []plot.Plotter, thumbs []plot.Thumbnailer, err error) {
	line, points, err := plotter.NewLinePoints(s)
	if err != nil {
		return nil, nil, err
	}
	points.GlyphStyle = draw.GlyphStyle{Color: s.look.colour, Radius: s.look.size, Shape: s.look.shape}
	if s.look.line > 0 {
		line.Color, line.Width = s.look.colour, s.look.line
		out, thumbs = append(out, line), append(thumbs, line)
	}
	if s.look.wide {
		bars, err := plotter.NewYErrorBars(s)
		if err != nil {
			return nil, nil, err
		}
		bars.Color, bars.CapWidth = s.look.colour, 4
		out = append(out, bars)
	}
	return append(out, points), append(thumbs, points), nil
}

func (p *panel) plot() (*plot.Plot, error) {
	out := plot.New()
	out.Title.Text, out.X.Label.Text, out.Y.Label.Text = p.title, p.x, p.y
	small(&out.X.Label.TextStyle, &out.Y.Label.TextStyle, &out.X.Tick.Label, &out.Y.Tick.Label)
	small(&out.Title.TextStyle)
	out.Title.TextStyle.Font.Size, out.Title.Padding = 10, 4
	out.Add(p.grid())
	for _, s := range p.lines {
		parts, _, err := s.parts()
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", p.title, s.name, err)
		}
		out.Add(parts...)
	}
	p.scale(out)
	return out, nil
}

// small sets the face of all text but the titles.
func small(styles ...*draw.TextStyle) {
	for _, s := range styles {
		s.Font.Variant, s.Font.Size = "Sans", 8
	}
}

func (p *panel) grid() *plotter.Grid {
	g := plotter.NewGrid()
	g.Horizontal.Color = color.RGBA{225, 225, 225, 255}
	g.Vertical.Color = g.Horizontal.Color
	return g
}

// scale chooses the axes so that nothing touches the frame.
func (p *panel) scale(out *plot.Plot) {
	xs, low, high := p.extent()
	out.X.Tick.Marker = ticks(xs)
	out.X.Min, out.X.Max = margins(xs[0], xs[len(xs)-1], p.logX)
	out.Y.Min, out.Y.Max = margins(low, high, p.logY)
	if p.logX {
		out.X.Scale = plot.LogScale{}
	}
	if p.logY {
		out.Y.Scale = plot.LogScale{}
		out.Y.Tick.Marker = ticks(oneTwoFive(out.Y.Min, out.Y.Max))
	} else {
		out.Y.Tick.Marker = ticks(even(out.Y.Min, out.Y.Max))
	}
	if p.one {
		line := plotter.NewFunction(func(float64) float64 { return 1 })
		line.Color, line.Width = color.Black, 0.5
		out.Add(line)
	}
}

// extent gives all x and the bounds of the values.
func (p *panel) extent() (xs []float64, low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, s := range p.lines {
		for i, e := range s.e {
			below, above := s.YError(i)
			if !s.look.wide {
				below, above = 0, 0
			}
			low, high = min(low, e.mean-below), max(high, e.mean+above)
		}
		xs = append(xs, s.x...)
	}
	if p.one {
		low = min(low, 1)
	}
	slices.Sort(xs)
	return slices.Compact(xs), low, high
}

// margins widens a range by a part of it.
func margins(low, high float64, log bool) (float64, float64) {
	const part = 14
	if log {
		f := math.Pow(high/low, 1.0/part)
		return low / f, high * f
	}
	return low - (high-low)/part, high + (high-low)/part
}

// oneTwoFive are the numbers 1, 2 and 5 times a power of ten between two bounds.
func oneTwoFive(low, high float64) (out []float64) {
	for exponent := math.Floor(math.Log10(low)); exponent <= math.Log10(high); exponent++ {
		for _, digit := range []float64{1, 2, 5} {
			if x := digit * math.Pow(10, exponent); x >= low && x <= high {
				out = append(out, x)
			}
		}
	}
	return out
}

// even are some multiples of a round step between two bounds.
func even(low, high float64) (out []float64) {
	const most = 6
	steps := oneTwoFive((high-low)/most, high-low)
	step := steps[0]
	for x := math.Ceil(low/step) * step; x <= high; x += step {
		out = append(out, x)
	}
	return out
}

func ticks(at []float64) (out plot.ConstantTicks) {
	for _, x := range at {
		out = append(out, plot.Tick{Value: x, Label: fmt.Sprintf("%.4g", x)})
	}
	return out
}

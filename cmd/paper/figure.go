package main

import (
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	panelWidth, panelHeight = 4.4 * vg.Inch, 2.7 * vg.Inch
	panelGap                = 0.2 * vg.Inch
	legendHeight            = 0.35 * vg.Inch
	panelsBeside            = 2
)

// drawFigure draws panels that share their series, below one legend.
func drawFigure(w io.Writer, panels []*panel) error {
	columns := min(panelsBeside, len(panels))
	rows := (len(panels) + columns - 1) / columns
	plots := make([][]*plot.Plot, rows)
	for i := range plots {
		plots[i] = make([]*plot.Plot, columns)
	}
	for i, p := range panels {
		drawn, err := p.plot()
		if err != nil {
			return err
		}
		plots[i/columns][i%columns] = drawn
	}
	c := vgsvg.New(vg.Length(columns)*panelWidth, vg.Length(rows)*panelHeight+legendHeight)
	all := draw.New(c)
	all.SetColor(color.White)
	all.Fill(all.Rectangle.Path())
	legend := draw.Crop(all, panelGap, -panelGap, vg.Length(rows)*panelHeight, -legendHeight/3)
	if err := drawLegend(legend, panels[0].lines); err != nil {
		return err
	}
	drawTiles(draw.Crop(all, 0, 0, 0, -legendHeight), plots)
	_, err := c.WriteTo(w)
	return err
}

func drawTiles(on draw.Canvas, plots [][]*plot.Plot) {
	tiles := draw.Tiles{Rows: len(plots), Cols: len(plots[0]), PadX: panelGap, PadY: panelGap,
		PadTop: panelGap / 2, PadBottom: panelGap / 2, PadLeft: panelGap / 2, PadRight: panelGap / 2}
	for i, line := range plot.Align(plots, tiles, on) {
		for k, tile := range line {
			if plots[i][k] != nil {
				plots[i][k].Draw(tile)
			}
		}
	}
}

// drawLegend names the series beside each other.
func drawLegend(on draw.Canvas, lines []series) error {
	left := vg.Length(0)
	for _, s := range lines {
		_, thumbs, err := s.parts()
		if err != nil {
			return err
		}
		l := plot.NewLegend()
		small(&l.TextStyle)
		l.Top, l.Left, l.ThumbnailWidth = true, true, 20
		l.Add(" "+s.name, thumbs...)
		l.Draw(draw.Crop(on, left, 0, 0, 0))
		left += l.ThumbnailWidth + l.TextStyle.Width(" "+s.name) + 14
	}
	return nil
}

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// columns is the width of a terminal, or 0 where lines may be of any length: a
// pipe or a file has no width, and what reads it wants whole lines.
func columns(stream io.Writer) int {
	if o, ok := stream.(*output); ok {
		stream = o.Writer
	}
	file, ok := stream.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// printWrapped prints text behind a prefix, which is as wide as the indent of the
// lines that follow. The prefix may hold colours; width is what of it is seen.
func (c *cli) printWrapped(prefix string, width int, text string) {
	lines := wrap(text, columns(c.stdout), width)
	fmt.Fprintf(c.stdout, "%s%s\n", prefix, lines[0])
	for _, line := range lines[1:] {
		fmt.Fprintf(c.stdout, "%s%s\n", strings.Repeat(" ", width), line)
	}
}

// wrap breaks text between words so that, behind an indent, no line is wider than
// the given columns unless one word is; 0 columns break nothing.
func wrap(text string, columns, indent int) []string {
	if columns == 0 || indent+utf8.RuneCountInString(text) <= columns {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && indent+utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	return append(lines, line)
}

// printTable prints rows in columns under a header or, where a terminal is too
// narrow for that, each as a block of lines.
func (c *cli) printTable(rows [][]string) {
	if limit := columns(c.stdout); limit > 0 && tableWidth(rows) > limit {
		c.printBlocks(rows)
		return
	}
	printTable(c.stdout, rows)
}

// tableWidth is the columns that a table takes.
func tableWidth(rows [][]string) int {
	widths := map[int]int{}
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	total := 0
	for _, width := range widths {
		total += width + 2
	}
	return total
}

// printBlocks prints each row of a table as its first cell and, below, a line for
// each other.
func (c *cli) printBlocks(rows [][]string) {
	header := rows[0]
	for _, row := range rows[1:] {
		c.printWrapped("  ", 4, header[0]+" "+row[0])
		for i, cell := range row[1:] {
			c.printWrapped("    ", 6, strings.TrimLeft(header[i+1]+": "+cell, ": "))
		}
	}
}

// printFacts prints names and values; long values go on in lines of their own.
func (c *cli) printFacts(facts [][2]string) {
	width := 0
	for _, fact := range facts {
		width = max(width, utf8.RuneCountInString(fact[0]))
	}
	for _, fact := range facts {
		c.printWrapped(fmt.Sprintf("  %-*s  ", width, fact[0]), width+4, fact[1])
	}
}

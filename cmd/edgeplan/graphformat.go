package main

import (
	"fmt"
	"strings"
)

// drawDOT writes the language of Graphviz (graphviz.org/doc/info/lang.html).
func drawDOT(d drawing) string {
	var b strings.Builder
	b.WriteString("digraph edgeplan {\n  graph [rankdir=LR]\n  node [shape=box, style=rounded, fontname=\"Helvetica\"]\n  edge [fontname=\"Helvetica\", fontsize=10]\n")
	for _, box := range d.boxes {
		style := ""
		switch {
		case box.network:
			style = ", shape=ellipse, style=solid"
		case box.dashed:
			style = ", style=\"rounded,dashed\""
		}
		fmt.Fprintf(&b, "  %s [label=%s%s]\n", quoteDOT(box.address), quoteDOT(strings.Join(append([]string{box.address}, box.labels...), "\n")), style)
	}
	for _, line := range d.lines {
		style := "dir=none, color=gray50"
		if line.arrow {
			style = "color=blue, penwidth=2"
		}
		if line.label != "" {
			style += ", label=" + quoteDOT(line.label)
		}
		fmt.Fprintf(&b, "  %s -> %s [%s]\n", quoteDOT(line.from), quoteDOT(line.to), style)
	}
	b.WriteString("}\n")
	return b.String()
}

// quoteDOT makes a quoted ID: only quotes, backslashes and line ends mean anything in it.
func quoteDOT(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text) + `"`
}

// drawMermaid writes a flowchart (mermaid.js.org/syntax/flowchart.html). Its names
// have no quotes and brackets, so boxes are numbered.
func drawMermaid(d drawing) string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	ids := map[string]string{}
	for i, box := range d.boxes {
		ids[box.address] = fmt.Sprintf("n%d", i)
		label := quoteMermaid(strings.Join(append([]string{box.address}, box.labels...), "\n"))
		shape := "[" + label + "]"
		if box.network {
			shape = "([" + label + "])"
		}
		fmt.Fprintf(&b, "  %s%s\n", ids[box.address], shape)
		if box.dashed {
			fmt.Fprintf(&b, "  style %s stroke-dasharray: 5 5\n", ids[box.address])
		}
	}
	for _, line := range d.lines {
		joint := "---"
		if line.arrow {
			joint = "==>"
		}
		if line.label != "" {
			joint += "|" + quoteMermaid(line.label) + "|"
		}
		fmt.Fprintf(&b, "  %s %s %s\n", ids[line.from], joint, ids[line.to])
	}
	return b.String()
}

func quoteMermaid(text string) string {
	return `"` + strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "\n", "<br>").Replace(text) + `"`
}

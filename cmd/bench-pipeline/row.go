package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/solver"
)

// row is what one model reached on one cluster; rates are inferences per second.
type row struct {
	model, cluster                 string
	stages                         int
	bottleneck                     string
	link                           bool // whether the bottleneck is a link
	predicted, measured            float64
	single                         string // the best single device
	singlePredicted, singleReached float64
	p50                            time.Duration
	gatewayBytes                   int64
}

func (r row) ratio() float64 { return r.measured / r.predicted }

func (r row) target() float64 {
	if r.link {
		return linkTarget
	}
	return deviceTarget
}

// cells are the columns of the table.
func (r row) cells() string {
	return strings.Join([]string{
		r.model, r.cluster, fmt.Sprint(r.stages), r.bottleneck,
		fmt.Sprintf("%.2f/s", r.predicted), fmt.Sprintf("%.2f/s", r.measured), r.p50.Round(time.Millisecond).String(),
		fmt.Sprintf("%s %.2f/s", r.single, r.singleReached),
		fmt.Sprintf("%.2f", r.predicted/r.singlePredicted), fmt.Sprintf("%.2f", r.measured/r.singleReached),
		fmt.Sprintf("%.1f MiB", float64(r.gatewayBytes)/(1<<20)),
		fmt.Sprintf("measured/predicted %.3f", r.ratio()),
	}, "\t")
}

func (r row) String() string { return strings.ReplaceAll(r.cells(), "\t", "  ") }

// nameOf says what a resource is in the table.
func nameOf(p *solver.Problem, r solver.Resource) (name string, link bool) {
	name = p.ResourceName(r)
	return name, !strings.HasPrefix(name, "node ")
}

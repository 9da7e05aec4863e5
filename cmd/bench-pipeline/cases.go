package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/edgeplan/edgeplan/internal/modelbuilder"
	"github.com/edgeplan/edgeplan/internal/relay"
	"github.com/edgeplan/edgeplan/onnx"
)

// model is one of the networks that are measured.
type model struct {
	name  string
	build func() (*modelbuilder.Model, error)
}

var models = []model{
	{"resnet18-112", func() (*modelbuilder.Model, error) {
		o := modelbuilder.ResNet18()
		o.Image = 112
		return modelbuilder.ResNet(1, o)
	}},
	{"mobilenetv2", func() (*modelbuilder.Model, error) { return modelbuilder.MobileNetV2(1) }},
	{"perceptron-48x1024", func() (*modelbuilder.Model, error) { return modelbuilder.Perceptron(1, 48, 1024) }},
}

func (m model) load(ctx context.Context, dir string) (*onnx.Chain, error) {
	built, err := m.build()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, m.name+".onnx")
	if err := built.WriteFile(path); err != nil {
		return nil, err
	}
	return onnx.Load(ctx, path, onnx.Options{})
}

// cluster is three devices, each with a share of a core, every pair of which is joined at
// one rate, as is the gateway, a fourth device without a limit and without a stage.
type cluster struct {
	name   string
	shares []float64
	mbps   float64
	tight  bool // links pass on little at once after a pause
}

func (c cluster) bytesPerSecond() float64 { return c.mbps * 1e6 / 8 }

func (c cluster) slack() time.Duration {
	if c.tight {
		return 5 * time.Millisecond
	}
	return relay.Slack
}

var clusters = []cluster{
	{name: "three-equal", shares: []float64{0.2, 0.2, 0.2}, mbps: 100},
	{name: "three-unlike", shares: []float64{0.4, 0.3, 0.2}, mbps: 100},
	{name: "slow-links", shares: []float64{0.2, 0.2, 0.2}, mbps: 6},
}

package modelbuilder

import "github.com/edgeplan/edgeplan/internal/tensor"

// ResNetOptions shape a residual network (He et al. 2015, arXiv 1512.03385).
type ResNetOptions struct {
	Blocks     []int  // residual blocks of each stage; every stage after the first halves the image and doubles the width
	Width      int    // channels of the first stage
	Image      int    // height and width of the input, in pixels
	Classes    int    // outputs of the last layer
	Bottleneck bool   // blocks of 1x1, 3x3, 1x1 with four times the width, as from ResNet-50 up
	BatchNorm  bool   // keep BatchNormalization nodes; exported models usually have them folded into Conv
	ImageNet   bool   // start with a 7x7 convolution and max pooling, both of stride 2
	Batch      string // name of a symbolic batch dimension; the batch is 1 when empty
	Bare       bool   // leave value_info out, as most exporters do
}

// Demo is the network of the demo: ResNet-20 of He et al., section 4.2, about 1 MB.
func Demo() ResNetOptions {
	return ResNetOptions{Blocks: []int{3, 3, 3}, Width: 16, Image: 32, Classes: 10}
}

// Small is a network under 200 KB, for examples.
func Small() ResNetOptions {
	return ResNetOptions{Blocks: []int{1, 1, 1}, Width: 12, Image: 32, Classes: 10}
}

// ResNet18 is the published network for 224x224 images.
func ResNet18() ResNetOptions {
	return ResNetOptions{Blocks: []int{2, 2, 2, 2}, Width: 64, Image: 224, Classes: 1000, ImageNet: true}
}

// ResNet50 is the published network for 224x224 images.
func ResNet50() ResNetOptions {
	return ResNetOptions{Blocks: []int{3, 4, 6, 3}, Width: 64, Image: 224, Classes: 1000, ImageNet: true, Bottleneck: true}
}

// ResNet makes a residual network with skip connections. Its input is "image",
// float32 [batch, 3, Image, Image], its output "scores", float32 [batch, Classes].
func ResNet(seed uint64, o ResNetOptions) (*Model, error) {
	b := New("resnet", seed)
	r := resnet{Builder: b, options: o}
	var batch any = 1
	if o.Batch != "" {
		batch = o.Batch
	}
	x := b.Input("image", tensor.Float32, batch, 3, o.Image, o.Image)
	x = r.stem(x)
	width := o.Width
	for stage, blocks := range o.Blocks {
		for block := range blocks {
			stride := 1
			if stage > 0 && block == 0 {
				stride = 2
			}
			x = r.block(x, width, stride)
		}
		width *= 2
	}
	x = b.Node("GlobalAveragePool", []string{x})
	x = b.Node("Flatten", []string{x}, Int("axis", 1))
	features := b.infos[x].Shape[1]
	w := b.Weight("fc_weight", 2*features, int64(o.Classes), features)
	bias := b.Uniform("fc_bias", -0.1, 0.1, int64(o.Classes))
	b.Rename(b.Node("Gemm", []string{x, w, bias}, Int("transB", 1)), "scores")
	b.Output("scores")
	m, err := b.Model()
	if err != nil || o.Bare {
		return m, err
	}
	return m, m.AddValueInfo()
}

// resnet builds the parts.
type resnet struct {
	*Builder
	options ResNetOptions
}

func (r resnet) stem(x string) string {
	if !r.options.ImageNet {
		return r.Node("Relu", []string{r.conv(x, r.options.Width, 3, 1)})
	}
	x = r.Node("Relu", []string{r.conv(x, r.options.Width, 7, 2)})
	return r.Node("MaxPool", []string{x}, window(3, 2, 1)...)
}

// block adds its input, carried around it, to its output.
func (r resnet) block(x string, width, stride int) string {
	skip, out := x, width
	y := x
	if r.options.Bottleneck {
		out = 4 * width
		y = r.Node("Relu", []string{r.conv(y, width, 1, 1)})
		y = r.Node("Relu", []string{r.conv(y, width, 3, stride)})
		y = r.conv(y, out, 1, 1)
	} else {
		y = r.Node("Relu", []string{r.conv(y, width, 3, stride)})
		y = r.conv(y, width, 3, 1)
	}
	if stride != 1 || r.infos[x].Shape[1] != int64(out) {
		skip = r.conv(x, out, 1, stride)
	}
	return r.Node("Relu", []string{r.Node("Add", []string{y, skip})})
}

// conv is a convolution, and batch normalisation after it where that is kept.
func (r resnet) conv(x string, channels, kernel, stride int) string {
	if !r.options.BatchNorm {
		return r.Conv(x, channels, kernel, stride)
	}
	return r.BatchNorm(r.Conv(x, channels, kernel, stride))
}

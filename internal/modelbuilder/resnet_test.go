package modelbuilder

import (
	"bytes"
	"testing"
)

func TestResNetSizes(t *testing.T) {
	tests := []struct {
		name     string
		options  ResNetOptions
		min, max int // bytes of the file
	}{
		{"demo", Demo(), 1_000_000, 1_200_000},
		{"small", Small(), 100_000, 200_000},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := ResNet(1, test.options)
			if err != nil {
				t.Fatal(err)
			}
			data, err := m.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if len(data) < test.min || len(data) > test.max {
				t.Errorf("file has %d bytes, want %d to %d", len(data), test.min, test.max)
			}
		})
	}
}

// Published parameter counts, batch normalisation folded into convolution: one
// bias per channel instead of scale and shift (torchvision: 11,689,512 and
// 25,557,032 with both; 4,800 and 26,560 channels are normalised).
func TestPublishedParameterCounts(t *testing.T) {
	tests := []struct {
		name    string
		options ResNetOptions
		want    int64
	}{
		{"ResNet-18", ResNet18(), 11_689_512 - 4_800},
		{"ResNet-50", ResNet50(), 25_557_032 - 26_560},
	}
	for _, test := range tests {
		m, err := ResNet(1, test.options)
		if err != nil {
			t.Fatal(err)
		}
		var got int64
		for _, w := range m.weights {
			got += w.size() / 4
		}
		if got != test.want {
			t.Errorf("%s has %d parameters, want %d", test.name, got, test.want)
		}
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	file := func(seed uint64) []byte {
		m, err := ResNet(seed, Small())
		if err != nil {
			t.Fatal(err)
		}
		data, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if !bytes.Equal(file(7), file(7)) {
		t.Error("the same seed gave two different files")
	}
	if bytes.Equal(file(7), file(8)) {
		t.Error("two seeds gave the same file")
	}
}

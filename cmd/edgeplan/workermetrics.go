package main

import (
	"bytes"
	"fmt"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// workerMetrics are the metrics of one worker, by name (docs/metrics.md).
type workerMetrics map[string]*dto.MetricFamily

func parseMetrics(text []byte) (workerMetrics, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("the worker's metrics are no text of Prometheus: %w", err)
	}
	return families, nil
}

// value adds up a counter or gauge over its labels.
func (m workerMetrics) value(name string) float64 {
	var sum float64
	for _, metric := range m[name].GetMetric() {
		sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
	}
	return sum
}

// label is that of the one metric of a name; "" where there is none.
func (m workerMetrics) label(name, label string) string {
	for _, metric := range m[name].GetMetric() {
		for _, pair := range metric.GetLabel() {
			if pair.GetName() == label {
				return pair.GetValue()
			}
		}
	}
	return ""
}

// histogram gives the sum in seconds and the count of all observations.
func (m workerMetrics) histogram(name string) (sum, count float64) {
	for _, metric := range m[name].GetMetric() {
		sum += metric.GetHistogram().GetSampleSum()
		count += float64(metric.GetHistogram().GetSampleCount())
	}
	return sum, count
}

// mean is that of a histogram, in seconds; 0 without observations.
func (m workerMetrics) mean(name string) float64 {
	sum, count := m.histogram(name)
	if count == 0 {
		return 0
	}
	return sum / count
}

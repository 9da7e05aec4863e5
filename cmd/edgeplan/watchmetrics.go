package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/edgeplan/edgeplan/internal/version"
	"github.com/edgeplan/edgeplan/internal/watching"
)

// watchMetrics are what Prometheus sees of watch; docs/watch.md lists them.
type watchMetrics struct {
	registry *prometheus.Registry
	server   *http.Server // nil without -metrics

	checks          prometheus.Counter
	checkSeconds    prometheus.Histogram
	lastCheck       prometheus.Gauge
	up, excluded    *prometheus.GaugeVec // by node
	ready           prometheus.Gauge
	ratio           *prometheus.GaugeVec   // by model
	events, outcome *prometheus.CounterVec // by event, by outcome
}

func newWatchMetrics() *watchMetrics {
	m := &watchMetrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.CounterOpts { return prometheus.CounterOpts{Name: name, Help: help} }
	gauge := func(name, help string) prometheus.GaugeOpts { return prometheus.GaugeOpts{Name: name, Help: help} }
	m.checks = prometheus.NewCounter(counter("edgeplan_watch_checks_total", "Times that all devices were asked."))
	m.checkSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "edgeplan_watch_check_seconds",
		Help: "Time until all devices had answered or were given up.", Buckets: prometheus.ExponentialBucketsRange(0.001, 60, 16)})
	m.lastCheck = prometheus.NewGauge(gauge("edgeplan_watch_last_check_timestamp_seconds", "When devices were last asked, in Unix time."))
	m.up = prometheus.NewGaugeVec(gauge("edgeplan_watch_device_up", "1 when the device and its workers are well, else 0."), []string{"node"})
	m.excluded = prometheus.NewGaugeVec(gauge("edgeplan_watch_device_excluded", "1 while plans leave the device out, else 0."), []string{"node"})
	m.ready = prometheus.NewGauge(gauge("edgeplan_watch_ready", "1 when watch may change something; 0 while the configuration asks for what is not deployed, or the state cannot be read."))
	m.ratio = prometheus.NewGaugeVec(gauge("edgeplan_watch_throughput_ratio", "What the pipeline answers under load, or could by its slowest stage, over the predicted throughput."), []string{"model"})
	m.events = prometheus.NewCounterVec(counter("edgeplan_watch_events_total", "Events, by what happened."), []string{"event"})
	m.outcome = prometheus.NewCounterVec(counter("edgeplan_watch_plans_total", "Plans made, by what became of them."), []string{"outcome"})
	start := prometheus.NewGauge(gauge("edgeplan_watch_start_time_seconds", "When watch started, in Unix time."))
	start.SetToCurrentTime()
	builds := prometheus.NewCounterVec(counter("edgeplan_watch_builds_total", "1 for the running version."), []string{"version"})
	builds.WithLabelValues(version.Version).Inc()
	for _, outcome := range outcomeNames {
		m.outcome.WithLabelValues(outcome)
	}
	m.registry.MustRegister(m.checks, m.checkSeconds, m.lastCheck, m.up, m.excluded, m.ready, m.ratio, m.events, m.outcome, start, builds,
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewGoCollector())
	return m
}

// serveWatchMetrics makes the metrics, and serves them at an address unless that is "".
func serveWatchMetrics(address string) (*watchMetrics, error) {
	m := newWatchMetrics()
	if address == "" {
		return m, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("-metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	m.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := m.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("metrics are no longer served", "error", err)
		}
	}()
	return m, nil
}

func (m *watchMetrics) close() {
	if m.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if m.server.Shutdown(ctx) != nil {
		m.server.Close()
	}
}

// observe takes in one look at the devices.
func (m *watchMetrics) observe(w *watch, took time.Duration) {
	m.checks.Inc()
	m.checkSeconds.Observe(took.Seconds())
	m.lastCheck.SetToCurrentTime()
	left := w.machine.Excluded()
	m.up.Reset()
	m.excluded.Reset()
	for node, seen := range w.found {
		m.up.WithLabelValues(node).Set(asFloat(seen.Health == watching.Well))
		m.excluded.WithLabelValues(node).Set(asFloat(!seen.InUse && slices.Contains(left, node)))
	}
	m.ready.Set(asFloat(w.judged && w.pending == "" && w.lost == ""))
	m.ratio.Reset()
	for name, v := range w.speeds {
		if ratio := v.ratio(); ratio > 0 {
			m.ratio.WithLabelValues(name).Set(ratio)
		}
	}
}

func asFloat(b bool) float64 { return float64(boolCount(b)) }

func (m *watchMetrics) count(event string) { m.events.WithLabelValues(event).Inc() }

// outcomeNames are the outcomes of plans as a label has them.
var outcomeNames = map[watching.Outcome]string{
	watching.Changed: "applied", watching.Unchanged: "unchanged", watching.Proposed: "proposed", watching.Failed: "failed", watching.NoPlan: "failed",
}

func (m *watchMetrics) done(outcome watching.Outcome) {
	m.outcome.WithLabelValues(outcomeNames[outcome]).Inc()
}

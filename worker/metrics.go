package worker

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc/codes"

	"github.com/edgeplan/edgeplan/internal/version"
)

// metrics counts what a worker does. Names and units follow
// https://prometheus.io/docs/practices/naming; docs/metrics.md lists them.
type metrics struct {
	registry *prometheus.Registry

	requests, failures prometheus.Counter   // of the stage
	wait, compute      prometheus.Histogram // of the stage, seconds

	sentBytes, connects *prometheus.CounterVec   // by peer
	transfer            *prometheus.HistogramVec // by peer, seconds

	answers  *prometheus.CounterVec // of the gateway, by code
	retries  prometheus.Counter
	answered prometheus.Histogram // of the gateway, seconds
}

// secondBuckets reach from what a hop costs to the longest timeout.
var secondBuckets = prometheus.ExponentialBucketsRange(100e-6, 60, 20)

func newMetrics(m Manifest) *metrics {
	labels := prometheus.Labels{"model": m.Model, "release": m.Release, "node": m.Node}
	if m.Stage != nil {
		labels["stage"] = strconv.Itoa(m.Stage.Index)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewGoCollector())
	c := catalogue{prometheus.WrapRegistererWith(labels, registry)}
	c.gauge("edgeplan_worker_start_time_seconds", "When this worker started, in Unix time.", func() float64 { return float64(started.UnixMilli()) / 1000 })
	c.gauge("edgeplan_worker_uptime_seconds", "For how long this worker has run, by a clock that does not jump.", func() float64 { return time.Since(started).Seconds() })
	c.vec("edgeplan_worker_builds_total", "1 for the running version.", "version").WithLabelValues(version.Version).Inc()
	out := &metrics{
		registry:  registry,
		sentBytes: c.vec("edgeplan_transfer_bytes_total", "Bytes of tensors sent.", "peer"),
		connects:  c.vec("edgeplan_transfer_connections_total", "Connections made to the peer; more than one means restarts or cuts.", "peer"),
		transfer:  c.histogramVec("edgeplan_transfer_seconds", "Time to give a message to the connection, waiting for its window included.", "peer"),
	}
	if m.Stage != nil {
		out.requests = c.counter("edgeplan_stage_requests_total", "Requests that the engine has run, failed ones included.")
		out.failures = c.counter("edgeplan_stage_failures_total", "Requests that failed in the engine or were late.")
		out.wait = c.histogram("edgeplan_stage_wait_seconds", "Time in the queue before the engine.")
		out.compute = c.histogram("edgeplan_stage_compute_seconds", "Time in the engine.")
	}
	if m.Gateway != nil {
		out.answers = c.vec("edgeplan_gateway_requests_total", "Requests answered, by gRPC status code.", "code")
		out.retries = c.counter("edgeplan_gateway_retries_total", "Attempts beyond the first, after a stage failed or vanished.")
		out.answered = c.histogram("edgeplan_gateway_request_seconds", "Time from entry to answer, but for reading the request.")
	}
	return out
}

// started is when the process did.
var started = time.Now()

// queues adds the lengths that are looked at when they are asked for.
func (m *metrics) queues(manifest Manifest, s *stage, g *gateway, links []*link) {
	labels := prometheus.Labels{"model": manifest.Model, "release": manifest.Release, "node": manifest.Node}
	if s != nil {
		labels["stage"] = strconv.Itoa(manifest.Stage.Index)
	}
	c := catalogue{prometheus.WrapRegistererWith(labels, m.registry)}
	if s != nil {
		c.gauge("edgeplan_stage_queue_length", "Requests that wait for the engine.", func() float64 { return float64(len(s.in)) })
	}
	if g != nil {
		c.gauge("edgeplan_gateway_requests_in_flight", "Requests without an answer yet.", func() float64 { return float64(g.slots.taken()) })
	}
	for _, l := range links {
		c := catalogue{prometheus.WrapRegistererWith(prometheus.Labels{"peer": l.peer.Node}, c.Registerer)}
		c.gauge("edgeplan_transfer_queue_length", "Messages that wait to be sent.", func() float64 { return float64(len(l.queue)) })
		c.gauge("edgeplan_transfer_connected", "1 while there is a connection to the peer.", func() float64 {
			if l.up() != nil {
				return 0
			}
			return 1
		})
	}
}

// supervised tells what keeps the worker running.
func (m *metrics) supervised(manifest Manifest, way Supervision) {
	labels := prometheus.Labels{"model": manifest.Model, "release": manifest.Release, "node": manifest.Node, "way": string(way)}
	c := catalogue{prometheus.WrapRegistererWith(labels, m.registry)}
	c.gauge("edgeplan_worker_supervised", "1 for what keeps the worker running.", func() float64 { return 1 })
}

// handler serves the metrics to Prometheus.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2, Timeout: 5 * time.Second})
}

// answer counts a request of the gateway.
func (m *metrics) answer(code codes.Code, took time.Duration, attempts int) {
	m.answers.WithLabelValues(code.String()).Inc()
	m.answered.Observe(took.Seconds())
	m.retries.Add(float64(max(0, attempts-1)))
}

// catalogue makes and registers metrics.
type catalogue struct{ prometheus.Registerer }

func (c catalogue) counter(name, help string) prometheus.Counter {
	m := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	c.MustRegister(m)
	return m
}

func (c catalogue) vec(name, help, label string) *prometheus.CounterVec {
	m := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	c.MustRegister(m)
	return m
}

func (c catalogue) gauge(name, help string, value func() float64) {
	c.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

func (c catalogue) histogram(name, help string) prometheus.Histogram {
	m := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: secondBuckets})
	c.MustRegister(m)
	return m
}

func (c catalogue) histogramVec(name, help, label string) *prometheus.HistogramVec {
	m := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: secondBuckets}, []string{label})
	c.MustRegister(m)
	return m
}

# `make demo` and `make test` do all the set-up they need on a Debian or Ubuntu
# with Go, make and npm.

GO      ?= go
# The race detector needs a C compiler; without one the tests run without it.
RACE    := $(shell command -v $${CC:-cc} >/dev/null 2>&1 && echo -race)
GOTEST  := $(GO) test $(RACE) -timeout 20m $(TESTFLAGS)

# With it every process otherwise sleeps for a second before it ends, and tests start many.
export GORACE := atexit_sleep_ms=20 $(GORACE)

.PHONY: fault-matrix bench-deploy all build demo test unit vet vet-platforms engine bench-onnx sweep-onnx fuzz-onnx bench-solver generate clean paper bench-config fuzz-config servers crash races check-solver check-deployer fuzz-state bench-pipeline bench-simulate soak-pipeline fuzz-pipeline bench-probe bench-watch

all: build

# Build the command line into bin/.
build:
	$(GO) build -trimpath -o bin/edgeplan ./cmd/edgeplan

# The whole way on three embedded devices: init, plan, apply, infer, destroy.
demo: build
	bin/edgeplan demo

# Everything: vet, staticcheck, and all tests.
test: vet unit

vet:
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

# The same for the other systems that people run edgeplan on, and for arm64 devices. `make test` leaves
# it out, since all that is imported is compiled anew for each.
vet-platforms:
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 $(GO) vet ./...
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 $(GO) vet ./...

unit: engine servers
	$(GOTEST) ./...

# Put ONNX Runtime into the per-user cache, where the tests look for it.
engine:
	$(GO) run ./internal/artifact/fetch

# Build the servers that shared states are tested on: an S3 service and a server of
# Terraform's HTTP backend protocol. Four minutes of one processor, once.
servers:
	$(GO) run ./internal/servertest/build

# Kill every command that writes the state at every one of its file operations.
crash: engine
	$(GO) test -v -run '^TestKilled' -timeout 60m ./cmd/edgeplan -crash-all

# Two applies at once, 200 times, on every backend.
races: engine servers
	$(GO) test -v -run '^TestTwoAppliesAtOnce$$' -timeout 60m ./cmd/edgeplan -races 200

# All problems that tests of the solver draw, of which `make test` takes a fifth, and the largest.
check-solver:
	$(GO) test $(RACE) -count=1 -timeout 60m ./solver -all-draws

# Let every operation of an apply, of a rollback and between neighbours fail, and go through
# 200 random histories of deployments.
check-deployer:
	$(GO) test -v -count=1 -timeout 120m -run '^Test(EveryOperation.*|ReceivingMayFail|PlanAfterApplyIsEmpty)$$' ./deployer -every-fault -histories 200

# Ten minutes of damaged states.
fuzz-state:
	$(GO) test -run '^$$' -fuzz '^FuzzParse$$' -fuzztime 10m -fuzzminimizetime 1s ./statefile

# Slice models of 1 GB and of more than 2 GB, and read a graph of 2,000 nodes: speed
# as a ratio to cp, peak memory, and seconds. Needs 6 GB of disk in TMPDIR.
bench-onnx:
	$(GO) test -run '^$$' -bench '^BenchmarkSlice$$' -benchtime 7x -timeout 20m ./cmd/edgeplan
	$(GO) test -run '^$$' -bench '^BenchmarkLoad$$' ./onnx

# Cut the models of ../shared/data/onnx (or of EDGEPLAN_SHARED) everywhere, run the slices,
# and compare with the whole model: the table of docs/models.md. A quarter of an hour.
sweep-onnx: engine
	EDGEPLAN_EVERY_CUT=1 $(GO) test -v -count=1 -timeout 60m -run '^Test(PublicModels|PublishedOutputs|SlicesComputeTheSame)$$' ./onnx

# Run the fuzz targets of the reader and the slicer, ten minutes each.
fuzz-onnx:
	for target in FuzzLoad FuzzSlice; do \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime 10m -fuzzminimizetime 1x -timeout 20m ./onnx || exit 1; \
	done

# Gaps to the proven bound on random clusters, for one model and for several, the setting of the paper, PipeEdge's
# clusters, 500 devices, and the work of the exact search, in seconds of one core. More
# clusters of each kind: TESTFLAGS='-cluster-seeds 10'.
bench-solver:
	$(GO) test -run '^$$' -bench '^Benchmark(Clusters|Wireless|PipeEdge|Largest|Exact|Models)$$' -benchtime 1x -timeout 120m ./solver $(TESTFLAGS)

# Reproduce the paper (arXiv 2210.12219) on its whole grid: docs/paper.md with its
# tables and plots. Takes some minutes on two cores.
paper:
	$(GO) run ./cmd/paper

# Three models on three clusters of real workers, limited to shares of a core (as root) and
# joined by links of limited rate: measured against predicted throughput. Then what a hop
# costs beside TLS, in CPU time. Seven minutes.
bench-pipeline: engine
	$(GO) run ./cmd/bench-pipeline
	$(GO) test -run '^$$' -bench '^BenchmarkHop$$' -benchtime 1x ./worker

# The simulation against real pipelines, under closed and open loops: workers whose engines
# sleep for a known time, and workers with ONNX Runtime on limited devices (as root). Then what
# 1,000 devices take. Twenty-five minutes, on a machine with nothing else to do.
bench-simulate: engine
	$(GO) test -run '^$$' -bench '^BenchmarkSimulation$$' -benchtime 1x -timeout 40m ./worker
	$(GO) run ./cmd/bench-pipeline -simulate -duration 3s -warm-up 1s
	$(GO) test -run '^$$' -bench '^BenchmarkThousandDevices$$' -benchtime 1x ./internal/simulation

# A pipeline at twice the load it can take: throughput, memory and latency stay as they are.
soak-pipeline:
	$(GO) test -v -count=1 -run '^TestSoak$$' -timeout 30m ./worker -soak 10m

# Ten minutes of hostile messages of neighbours and clients, and of damaged tensors.
fuzz-pipeline:
	$(GO) test -run '^$$' -fuzz '^FuzzMessage$$' -fuzztime 5m -fuzzminimizetime 1s ./worker
	$(GO) test -run '^$$' -fuzz '^FuzzReceive$$' -fuzztime 1m -fuzzminimizetime 1s ./worker
	$(GO) test -run '^$$' -fuzz '^FuzzCodec$$' -fuzztime 2m -fuzzminimizetime 1s ./internal/oippb
	$(GO) test -run '^$$' -fuzz '^FuzzInfer$$' -fuzztime 2m -fuzzminimizetime 1s ./internal/oiprest
	$(GO) test -run '^$$' -fuzz '^FuzzDecode$$' -fuzztime 1m -fuzzminimizetime 1s ./internal/transfer

# Validate 500 nodes with 250,000 measured links: seconds and peak memory.
bench-config:
	$(GO) test -run '^$$' -bench '^BenchmarkValidate$$' -benchtime 5x ./cmd/edgeplan

# Ten minutes of hostile configurations, and five of hostile layouts.
fuzz-config:
	$(GO) test -run '^$$' -fuzz '^FuzzLoad$$' -fuzztime 10m -fuzzminimizetime 10x ./config
	$(GO) test -run '^$$' -fuzz '^FuzzFormat$$' -fuzztime 5m -fuzzminimizetime 10x ./config

# Uploads against scp and bare TCP, bytes of a moved layer, 30 devices at once: ratios
# within one run, on real SSH servers. Then 30 devices behind one slow line, with and without
# what they can give each other. Needs root and openssh-server. docs/deploy-speed.md.
bench-deploy: engine
	$(GO) test -run '^$$' -bench '^Benchmark(Upload|MovedBoundary|Reapply|Refresh|ManyDevices)$$' -benchtime 3x -timeout 40m ./deployer $(TESTFLAGS)
	$(GO) test -run '^$$' -bench '^BenchmarkNeighbours$$' -benchtime 1x -timeout 40m ./cmd/edgeplan $(TESTFLAGS)

# A device that is powered off under load, and a link that flaps for five minutes: how soon a
# new plan serves, what is sent, how often plans change. Then, as root, a link that becomes slow.
# Needs openssh-server. A quarter of an hour.
bench-watch: engine
	$(GO) test -v -count=1 -run '^TestWatch(PowerOff|FlappingLink)$$' -bench '^BenchmarkWatchSlowLink$$' -benchtime 1x -timeout 40m ./cmd/edgeplan -watch-bench

# Nine faults, each at 20 moments of an apply, on devices made of namespaces: a quarter of an
# hour. Needs root, openssh-server and e2fsprogs. docs/reliability.md.
fault-matrix: engine
	$(GO) test -v -count=1 -run '^TestFaultMatrix$$' -timeout 120m ./cmd/edgeplan -fault-moments 20 -fault-beds 5 $(TESTFLAGS)

# Probe shaped links (10, 50 and 100 Mbit/s) between devices in network namespaces, and all
# pairs of 16 devices: errors against what TCP delivers, and seconds. As root. Then predict ranges
# of three models that probe did not choose to run, and last, predicted against measured
# throughput and memory of three models on five random clusters that the calibration has not
# seen, of devices with shares of a core; smaller with PREDICT='-predict-clusters 1
# -predict-models resnet18'. Half an hour of a quiet machine.
bench-probe: engine
	$(GO) test -run '^$$' -bench '^BenchmarkProbe(Bed|PredictsRanges|Predicts)$$' -benchtime 1x -v -timeout 60m ./cmd/edgeplan $(PREDICT)

# Regenerate what is generated: protobuf types (needs protoc) and example models.
generate:
	$(GO) generate ./...

clean:
	rm -rf bin

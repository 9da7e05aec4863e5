package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeplan/edgeplan/deployer"
	"github.com/edgeplan/edgeplan/internal/quantity"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// run measures what is not fresh, in three parts: nodes, links, and ranges of models.
// Then it plans with what it knows by now and times the ranges of that plan too.
func (p *probing) run(ctx context.Context) error {
	look, test, times := p.toLook(), p.toTest(), p.toTime()
	if len(times) == 0 && p.unplanned() {
		times = p.plannedRanges(ctx)
	}
	busy := p.participants(look, test, times)
	if len(busy) == 0 && len(p.failures) > 0 {
		return p.failed(ctx)
	}
	if len(busy) == 0 {
		p.notef("Nothing to measure: all of it was measured within %s. -again measures it anew.", plainDuration(p.flags.maxAge))
		return nil
	}
	p.announce(look, test, times)
	nodes, err := p.probeNodes(busy)
	if err != nil {
		return err
	}
	shown := p.newProgress()
	defer shown.end()
	show := oneAtATime(shown.show)
	p.progress = newSteps(show)
	o := p.probeOptions()
	o.Progress = show
	p.probes = deployer.OpenProbes(ctx, nodes, p.blobs, lineageOf(o.Holder.State), o)
	defer p.probes.Close(ctx)
	for _, err := range p.probes.Failed() {
		p.fail(err)
	}
	p.look(ctx, look)
	p.testLinks(ctx, test)
	p.timeAll(ctx, times)
	p.timePlanned(ctx)
	return p.failed(ctx)
}

// plainDuration writes 24h0m0s as 24h.
func plainDuration(d time.Duration) string {
	text := d.String()
	for _, nothing := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, nothing) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// participants are the nodes that have a part in something, sorted. Where ranges are
// timed at all, the plan may ask for some on any node of its kind.
func (p *probing) participants(look []string, test map[direction]string, times map[string][]timing) []string {
	all := map[string]bool{}
	for _, node := range look {
		all[node] = true
	}
	for d := range test {
		all[d.from], all[d.to] = true, true
	}
	timing := len(p.chains) > 0 && len(all)+len(times) > 0
	for node := range p.nodes {
		if timing && p.timed(node) {
			all[node] = true
		}
	}
	return sortedKeys(all)
}

// announce says what will be done, how much will travel, and about how long it takes.
func (p *probing) announce(look []string, test map[direction]string, times map[string][]timing) {
	ranges := 0
	longest := 0
	for _, list := range times {
		ranges += len(list)
		longest = max(longest, len(list))
	}
	rounds := linkRounds(test)
	seconds := 0.0
	if len(look) > 0 {
		seconds += 4
	}
	for _, round := range rounds {
		seconds += 0.8 * float64(longestOf(round))
	}
	seconds += 1.5 * leastPasses * float64(longest)
	p.notef("Measuring %s, %s in %s (at most %s each way, %s in all) and %s of models: about %s, without uploads.",
		count(len(look), "node"), count(len(test), "direction"), count(len(rounds), "round"),
		quantity.FormatBytes(p.limits.Bytes), quantity.FormatBytes(p.limits.Bytes*int64(len(test))),
		count(ranges, "range"), time.Duration(seconds*float64(time.Second)).Round(time.Second))
}

func longestOf(round [][]direction) int {
	most := 0
	for _, ways := range round {
		most = max(most, len(ways))
	}
	return most
}

// probeNodes are the devices as the deployer reaches them.
func (p *probing) probeNodes(names []string) (map[string]deployer.ProbeNode, error) {
	nodes := map[string]deployer.ProbeNode{}
	for _, name := range names {
		node := p.nodes[name]
		found, err := p.set.Worker(p.architecture(name))
		if err != nil {
			return nil, err
		}
		nodes[name] = deployer.ProbeNode{
			Node:    statefile.Node{SSH: statefile.SSH(node.SSH), Path: node.Path, Architecture: p.architecture(name), PipelineAddress: node.PipelineAddress},
			Program: p.blobs.program(worker.ProgramFile, program(found)),
		}
	}
	return nodes, nil
}

// probeOptions take leases that only a later probe of this folder takes over at once.
func (p *probing) probeOptions() deployer.Options {
	o := p.deployOptions()
	host, _ := os.Hostname()
	folder, err := filepath.Abs(p.dir)
	if err != nil {
		folder = p.dir
	}
	o.Holder = deployer.Holder{Who: statefile.Who(), Operation: "probe", State: "probe " + host + ":" + folder}
	o.LeaseWait = p.leaseWait
	return o
}

// lineageOf stands for the lineage of a state in what probes of one folder have in common.
func lineageOf(folder string) string {
	sum := sha256.Sum256([]byte(folder))
	return hex.EncodeToString(sum[:16])
}

// each does something with every node at once.
func (p *probing) each(nodes []string, do func(node string)) {
	var all sync.WaitGroup
	for _, node := range nodes {
		all.Go(func() { do(node) })
	}
	all.Wait()
}

// blobFiles are files to upload, by digest. It grows as ranges are cut.
type blobFiles struct {
	mu   sync.Mutex
	open map[string]func() (io.ReadCloser, error)
}

func newBlobFiles() *blobFiles { return &blobFiles{open: map[string]func() (io.ReadCloser, error){}} }

// Open implements plan.BlobSource.
func (b *blobFiles) Open(digest string) (io.ReadCloser, error) {
	b.mu.Lock()
	open, ok := b.open[digest]
	b.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("blob %s is not part of what is measured", digest)
	}
	return open()
}

func (b *blobFiles) add(digest string, open func() (io.ReadCloser, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open[digest] = open
}

// program makes a program's file known.
func (b *blobFiles) program(name string, program plan.Program) statefile.Blob {
	b.add(program.Digest, func() (io.ReadCloser, error) { return os.Open(program.Path) })
	return statefile.Blob{Name: name, Digest: program.Digest, Size: program.Size}
}

// oneAtATime lets events come from anywhere.
func oneAtATime(show func(deployer.Event)) func(deployer.Event) {
	var mu sync.Mutex
	return func(e deployer.Event) {
		mu.Lock()
		defer mu.Unlock()
		show(e)
	}
}

// steps tells how far a part is, and about how long it will take yet.
type steps struct {
	show func(deployer.Event)

	mu    sync.Mutex
	begun time.Time
	done  int
	total int
	what  string
}

func newSteps(show func(deployer.Event)) *steps { return &steps{show: show} }

// begin begins a part of so many steps.
func (s *steps) begin(what string, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun, s.done, s.total, s.what = time.Now(), 0, total, what
}

// more adds steps to a part, or takes some away.
func (s *steps) more(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total += n
}

// step tells of one that is done.
func (s *steps) step(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done++
	left := ""
	if s.done < s.total {
		each := time.Since(s.begun).Seconds() / float64(s.done)
		left = fmt.Sprintf(", %s left", time.Duration(each*float64(s.total-s.done)*float64(time.Second)).Round(time.Second))
	}
	s.show(deployer.Event{Node: fmt.Sprintf("%s %d of %d%s", s.what, s.done, s.total, left), Kind: "measure", Message: fmt.Sprintf(format, args...)})
}

// sortedTimings are the nodes with something to time.
func sortedTimings(times map[string][]timing) []string { return slices.Sorted(maps.Keys(times)) }

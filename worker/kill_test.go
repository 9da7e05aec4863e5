package worker

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	kills    = flag.Int("kills", 25, "how many stages TestKilledStagesLoseNothing kills")
	killSeed = flag.Uint64("kill-seed", 0, "seed of TestKilledStagesLoseNothing; 0 draws one")
)

// workerEnvironment names a release folder: the test binary then is the worker
// of that folder, with a fake engine.
const workerEnvironment = "EDGEPLAN_TEST_WORKER"

func TestMain(m *testing.M) {
	if how := os.Getenv(growEnvironment); how != "" {
		grow(how)
	}
	dir := os.Getenv(workerEnvironment)
	if dir == "" {
		os.Exit(m.Run())
	}
	open := func(_ string, st Stage) (engine, error) { return newFakeEngine(&st), nil }
	if os.Getenv(soakEnvironment) != "" {
		collectWhenAsked()
		open = func(_ string, st Stage) (engine, error) { return soakEngine{newFakeEngine(&st)}, nil }
	}
	if err := Run(context.Background(), dir, Options{open: open}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// process is a stage that runs as a process of its own and comes back by itself.
type process struct {
	t   *testing.T
	dir string

	mu      sync.Mutex
	command *exec.Cmd
	ended   bool
	done    chan struct{}
}

func (c *cluster) startProcess(t *testing.T, i int) *process {
	p := &process{t: t, dir: c.workers[i].dir, done: make(chan struct{})}
	go p.supervise()
	t.Cleanup(p.end)
	return p
}

func (p *process) supervise() {
	defer close(p.done)
	for {
		p.mu.Lock()
		if p.ended {
			p.mu.Unlock()
			return
		}
		p.command = exec.Command(os.Args[0])
		p.command.Env = append(os.Environ(), workerEnvironment+"="+p.dir)
		err := p.command.Start()
		p.mu.Unlock()
		if err != nil {
			p.t.Errorf("start %s: %v", p.dir, err)
			return
		}
		p.command.Wait()
	}
}

// kill ends the process with SIGKILL; supervise starts the next one.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.command != nil && p.command.Process != nil {
		p.command.Process.Kill()
	}
}

func (p *process) end() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.kill()
	<-p.done
}

// descriptors counts the open files of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc")
	}
	return len(entries)
}

// Stages are killed at random moments under load, each as a process of its own:
// every request gets its right answer, and the gateway leaks nothing.
func TestKilledStagesLoseNothing(t *testing.T) {
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed: -kill-seed=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	c := newCluster(t, layout{stages: 3, gateway: 3, elements: 10_000, timeout: 60})
	var stages []*process
	for i := range 3 {
		stages = append(stages, c.startProcess(t, i))
	}
	c.startOne(3)
	t.Cleanup(func() { c.stopOne(3) })
	client := c.client(3)
	ask := func(number byte) error {
		out, err := client.Infer(context.Background(), testModel, testRelease, request(10_000, number))
		if err != nil {
			return err
		}
		return checkAnswer(out, 3, number)
	}
	if err := ask(0); err != nil {
		t.Fatal(err)
	}
	goroutines, files := runtime.NumGoroutine(), descriptors(t)

	var stop atomic.Bool
	var answered, failed atomic.Int64
	var load sync.WaitGroup
	for range 8 {
		load.Go(func() {
			for n := byte(0); !stop.Load(); n++ {
				if err := ask(n % 200); err != nil {
					failed.Add(1)
					t.Errorf("a request was lost or wrong: %v", err)
					return
				}
				answered.Add(1)
			}
		})
	}
	for range *kills {
		time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
		before := answered.Load()
		stages[random.IntN(3)].kill()
		if random.IntN(4) == 0 {
			continue // another one at once
		}
		for answered.Load() < before+10 && failed.Load() == 0 {
			time.Sleep(10 * time.Millisecond)
		}
	}
	stop.Store(true)
	load.Wait()
	t.Logf("%d kills, %d requests answered, %d lost or wrong", *kills, answered.Load(), failed.Load())
	if err := ask(1); err != nil {
		t.Error(err)
	}
	if n := settled(runtime.NumGoroutine); n > goroutines+2 {
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	if n := settled(func() int { return descriptors(t) }); n > files+2 {
		t.Errorf("%d open files, %d before", n, files)
	}
}

package worker

import (
	"sync"

	"google.golang.org/grpc/mem"

	"github.com/edgeplan/edgeplan/internal/tensor"
	"github.com/edgeplan/edgeplan/internal/transfer"
)

// buffers are the memory of the tensors that a stage receives from another node, and of those that
// it sends to one. All of it is taken at the start, as much as full queues need, and used again and
// again: so a worker holds from then on what the plan counts on, idle or not, and its tensors are no
// garbage, which Go would let grow to as much as is alive before it collects it.
//
// What is not given back is collected like any other memory, and replaced when it is asked for.
// Nil buffers hold nothing.
type buffers struct {
	mu   sync.Mutex
	free map[int][][]byte // by length
	most map[int]int      // of each length
}

// InBuffers and OutBuffers are how many requests a stage with queues of some length holds at
// once before and behind its engine: those in the queue; before it, one that comes in, one that waits
// for a place, and one in the engine; behind it, one that waits for a place, one that
// waits for the connection, and one that the connection sends.
func InBuffers(queue int) int { return queue + 3 }

// OutBuffers is as InBuffers says.
func OutBuffers(queue int) int { return queue + 3 }

// newBuffers takes the memory of a manifest's stage: none where tensors change their form on the way,
// and come and go in other memory, nor of tensors so short that gRPC does not say when it is done with them.
// What comes in is in gRPC's memory until it is whole, so that is one less.
func newBuffers(m Manifest) *buffers {
	if m.Stage == nil || m.Transfer != "" && m.Transfer != transfer.None {
		return nil
	}
	b := &buffers{free: map[int][][]byte{}, most: map[int]int{}}
	if m.Stage.Previous.Node != m.Node {
		b.reserve(m.Stage.Inputs, InBuffers(m.Queue)-1)
	}
	if m.Stage.Next.Node != m.Node {
		b.reserve(m.Stage.Outputs, OutBuffers(m.Queue))
	}
	return b
}

func (b *buffers) reserve(infos []tensor.Info, count int) {
	for _, info := range infos {
		bytes, err := info.Bytes()
		if err != nil || bytes > unknownBytes || mem.IsBelowBufferPoolingThreshold(int(bytes)) {
			continue
		}
		b.most[int(bytes)] += count
		for range count {
			b.free[int(bytes)] = append(b.free[int(bytes)], resident(int(bytes)))
		}
	}
}

// resident is memory that the system has really given.
func resident(n int) []byte {
	data := make([]byte, n)
	for i := 0; i < n; i += 1 << 10 {
		data[i] = 1
	}
	return data
}

// take gives memory of a length, whose content is anything.
func (b *buffers) take(n int) []byte {
	if b == nil {
		return make([]byte, n)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.free[n]
	if len(list) == 0 {
		return make([]byte, n)
	}
	last := len(list) - 1
	data := list[last]
	list[last], b.free[n] = nil, list[:last] // it may never come back
	return data
}

// give takes memory back that nobody uses any more.
func (b *buffers) give(data []byte) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(data); len(b.free[n]) < b.most[n] {
		b.free[n] = append(b.free[n], data)
	}
}

// Get and Put are take and give, as gRPC calls them.
func (b *buffers) Get(n int) *[]byte {
	data := b.take(n)
	return &data
}

// Put is as Get says.
func (b *buffers) Put(data *[]byte) { b.give(*data) }

var _ mem.BufferPool = (*buffers)(nil)

// bytes is how much memory it is.
func (b *buffers) bytes() (total int64) {
	if b == nil {
		return 0
	}
	for n, count := range b.most {
		total += int64(n) * int64(count)
	}
	return total
}

// leastGarbage is what Go lets stand however little is alive (its runtime's heapMinimum).
const leastGarbage = 4 << 20

// gcPercent makes Go collect garbage when there is as much of it as without buffers: they are always
// alive, and it would let as much garbage stand.
func (b *buffers) gcPercent() int {
	return max(1, int(100*leastGarbage/(leastGarbage+b.bytes())))
}

// lend lends out memory of a message, while a connection sends it; the caller frees it.
func (m *message) lend() (list []mem.Buffer) {
	if m.memory == nil {
		return nil
	}
	for i := range m.tensors {
		list = append(list, mem.NewBuffer(&m.tensors[i].Data, m.memory))
	}
	return list
}

package deployer

import (
	"bytes"
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	embedded "github.com/edgeplan/edgeplan/internal/device"
)

// queue is a line with a queue in it, as of a router that other uploads go through as well: what
// is put in comes out late.
type queue struct{ full chan struct{} }

const (
	queuePiece = 16 << 10
	queueEvery = 50 * time.Millisecond // a piece is taken
	queueDelay = 4 * time.Second
)

func (q queue) copy(to io.Writer, from net.Conn) {
	_ = from.(*net.TCPConn).SetReadBuffer(queuePiece)    // no queue but this one
	line := make(chan segment, 16*queueDelay/queueEvery) // pieces are often smaller
	defer close(line)
	go func() {
		for s := range line {
			time.Sleep(time.Until(s.at))
			_, _ = to.Write(s.data) // its end comes from the other direction
		}
	}()
	for {
		piece := make([]byte, queuePiece)
		n, err := from.Read(piece)
		if err != nil {
			return
		}
		s := segment{time.Now(), piece[:n]}
		select {
		case <-q.full:
			s.at = s.at.Add(queueDelay)
			time.Sleep(queueEvery * time.Duration(n) / queuePiece)
		default:
		}
		line <- s
	}
}

// A device that is asked to answer and hears of it late, since the question stands in a long queue, is not taken
// for silent while the queue moves on.
func TestQuestionStandsInAQueue(t *testing.T) {
	t.Parallel()
	c := bareCluster(t)
	c.addDevice("a", embedded.Options{})
	q := queue{make(chan struct{})}
	target := c.devices["a"].Addr()
	s := listen(t, func(conn net.Conn) {
		behind, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		defer behind.Close()
		go q.copy(behind, conn)
		_, _ = io.Copy(conn, behind)
	})
	node := c.nodes["a"]
	node.SSH.Host, node.SSH.Port = s.Host, s.Port
	o := c.options
	o.KeepaliveInterval, o.KeepaliveGrace = 100*time.Millisecond, 3*time.Second
	d := newDevice("a", node, o.withDefaults())
	defer d.close()
	l, err := d.connected(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	const size = 6 * int(time.Second/queueEvery) * queuePiece // for longer than the first piece is under way
	in := &fillingReader{q, bytes.NewReader(noise(1, size))}
	if out, err := l.run(context.Background(), in, "wc", "-c"); err != nil || strings.TrimSpace(out) != strconv.Itoa(size) {
		t.Errorf("printed %q, %v", out, err)
	}
}

// fillingReader fills the queue when it is first read.
type fillingReader struct {
	queue
	io.Reader
}

func (r *fillingReader) Read(p []byte) (int, error) {
	select {
	case <-r.full:
	default:
		close(r.full)
	}
	return r.Reader.Read(p)
}

package deployer

import (
	"context"
	"net"
	"testing"
	"time"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/statefile"
)

// Who answers is well; who is off, and who takes connections and says nothing, is away, and
// keeps nobody waiting; who is back is well again.
func TestMonitor(t *testing.T) {
	c := newCluster(t, "a", "b")
	hangs, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hangs.Close()
	c.addNode("hangs", hangs.Addr().String(), c.devices["a"].HostKeyLine(), "", ".edgeplan")
	connections := NewConnections()
	defer connections.Close()
	c.options.Connections = connections
	m := NewMonitor(time.Second, c.options)
	defer m.Close()
	ask := func(want string) {
		t.Helper()
		begun := time.Now()
		answers := m.Ask(context.Background(), statefile.New(), c.nodes)
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("asking took %s", took)
		}
		well := ""
		for _, node := range []string{"a", "b", "hangs"} {
			if answers[node].Err == nil {
				well += node
			}
		}
		if well != want {
			t.Errorf("%q are well, want %q: %+v", well, want, answers)
		}
	}
	ask("ab")
	ask("ab")
	c.devices["b"].Close()
	ask("a")
	again, err := embedded.Start(embedded.Options{Address: c.devices["b"].Addr(), Home: c.homes["b"], AuthorizedKey: c.key})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	n := c.nodes["b"]
	n.SSH.HostKey = again.HostKeyLine()
	c.nodes["b"] = n
	ask("ab")
}

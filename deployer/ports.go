package deployer

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeplan/edgeplan/plan"
)

// listens are the addresses that a node's new workers will listen on, as host:port.
func (a *applying) listens(node string) []string {
	var list []string
	for _, d := range a.plan.Deployments {
		m, ok := d.Manifests[node]
		if d.To == nil || !ok || !slices.Contains(plan.ReleaseNodes(d.To), node) {
			continue
		}
		list = append(list, m.Listen)
		if m.Gateway != nil && m.Gateway.Access != nil {
			list = append(list, m.Gateway.Access.HTTP, m.Gateway.Access.GRPC)
		}
	}
	return slices.DeleteFunc(list, func(address string) bool { return address == "" })
}

// checkPorts finds ports that others listen on. Workers of this state are no
// others: the plan keeps out of their way, or they are stopped first.
func (a *applying) checkPorts(ctx context.Context, s *site, sockets []socket) ([]error, error) {
	var list []error
	for _, wanted := range a.listens(s.name) {
		for _, there := range sockets {
			if !collides(wanted, there.address) {
				continue
			}
			who, ours, err := s.socketOwner(ctx, there.inode)
			if err != nil {
				return nil, err
			}
			if !ours {
				list = append(list, problemf("ports", "end it, or set `pipeline_port` of the node (`http` or `grpc` of the model's client block) to a free port",
					"%s listens on %s already, which a new worker needs", who, there.address))
			}
			break
		}
	}
	return list, nil
}

// collides says whether a worker cannot listen where a socket listens already. One
// that is told a name listens on all addresses.
func collides(wanted string, there netip.AddrPort) bool {
	host, port, err := net.SplitHostPort(wanted)
	if err != nil || port != strconv.Itoa(int(there.Port())) {
		return false
	}
	address, err := netip.ParseAddr(host)
	return err != nil || address.IsUnspecified() || there.Addr().IsUnspecified() || address.Unmap() == there.Addr()
}

// ownerScript prints process, name and folder of who has a socket.
const ownerScript = physicalFunction + `
ls -l /proc/[0-9]*/fd 2>/dev/null | grep -e '^/proc/' -e "socket:\[$1\]" | while read -r line; do
	case $line in
	/proc/*) pid=${line#/proc/} pid=${pid%%/*} ;;
	*)
		read -r name <"/proc/$pid/comm"
		printf '%s\n%s\n%s\n' "$pid" "$name" "$(readlink "/proc/$pid/cwd")"
		break
		;;
	esac
done
physical "$2"
`

// socketOwner tells who has a socket, and whether that is a worker of this state.
func (s *site) socketOwner(ctx context.Context, inode string) (who string, ours bool, err error) {
	out, err := s.script(ctx, "find who listens", ownerScript, inode, s.root)
	if err != nil {
		return "", false, err
	}
	lines := strings.Split(out, "\n")
	if len(lines) != 4 {
		return "a program of another user", false, nil
	}
	pid, name, folder := lines[0], oneLine(lines[1]), lines[2]
	root := lines[3]
	deployment, _, _ := strings.Cut(strings.TrimPrefix(folder, root+"/"), "/")
	if strings.HasPrefix(folder, root+"/") && strings.HasSuffix(deployment, lineageSuffix(s.lineage)) {
		return "", true, nil
	}
	return name + " (process " + oneLine(pid) + ", in " + oneLine(folder) + ")", false, nil
}

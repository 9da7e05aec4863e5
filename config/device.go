package config

import (
	"fmt"
	"net"
	"strconv"
)

const sharedDevice = "Two nodes on one device"

// checkDevices refuses nodes that would overwrite each other's files or listen
// on each other's port.
func (e *evaluator) checkDevices() {
	folders, endpoints := map[string]*Node{}, map[string]*Node{}
	for _, n := range e.config.Nodes {
		if n.SSH.Host == "" {
			continue // a fault of its own
		}
		host := net.JoinHostPort(n.SSH.Host, strconv.Itoa(orElse(n.SSH.Port, defaultSSHPort)))
		folder := fmt.Sprintf("%s@%s:%s", n.SSH.User, host, n.Path)
		if first, taken := folders[folder]; taken {
			e.fault(&n.Range, sharedDevice, "%s and %s (%s) are both folder %q of %s at %s. Give each node its own device, or its own path.",
				first.Address, n.Address, first.Range, n.Path, userOf(n.SSH), host)
			continue
		}
		folders[folder] = n
		if !n.Enabled {
			continue
		}
		endpoint := net.JoinHostPort(n.PipelineAddress, strconv.Itoa(n.PipelinePort))
		if first, taken := endpoints[endpoint]; taken {
			e.fault(&n.Range, sharedDevice, "%s and %s (%s) would both listen on %s. Give one of them another pipeline_port, or its own pipeline_address.",
				first.Address, n.Address, first.Range, endpoint)
			continue
		}
		endpoints[endpoint] = n
	}
}

func userOf(s SSH) string {
	if s.User == "" {
		return "the same user"
	}
	return s.User
}

func orElse(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}

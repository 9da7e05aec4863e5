package deployer

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// acknowledged tells how many bytes the system at the other end of a TCP connection has acknowledged
// (tcp(7), RFC 4898 tcpEStatsAppHCThruOctetsAcked), and whether more are on their way. Of others, as
// those through a jump host, nothing is known.
func acknowledged(conn net.Conn) (bytes uint64, more bool) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, false
	}
	_ = raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			bytes, more = info.Bytes_acked, info.Unacked > 0 || info.Notsent_bytes > 0
		}
	})
	return bytes, more
}

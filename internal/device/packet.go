package device

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Numbers of the SSH file transfer protocol, version 3
// (draft-ietf-secsh-filexfer-02 sections 3 and 7).
const (
	typeInit          = 1
	typeWrite         = 6
	typeStatus        = 101
	typeExtended      = 200
	typeExtendedReply = 201

	statusFailure = 4

	maxPacket = 1 << 20
)

// requestName names a packet's request. An extended request is named by itself.
func requestName(packet []byte) string {
	if packet[0] == typeExtended {
		name, _ := stringAt(packet, 5)
		return name
	}
	names := map[byte]string{
		typeInit: "init", 3: "open", 4: "close", 5: "read", typeWrite: "write", 7: "lstat", 8: "fstat",
		9: "setstat", 10: "fsetstat", 11: "opendir", 12: "readdir", 13: "remove", 14: "mkdir",
		15: "rmdir", 16: "realpath", 17: "stat", 18: "rename", 19: "readlink", 20: "symlink",
	}
	if name, ok := names[packet[0]]; ok {
		return name
	}
	return fmt.Sprintf("request %d", packet[0])
}

// writeBytes is how much data a write packet carries.
func writeBytes(packet []byte) int {
	if packet[0] != typeWrite {
		return 0
	}
	handle, ok := stringAt(packet, 5)
	data := 5 + 4 + len(handle) + 8 + 4 // type, id, handle, offset, length
	if !ok || data > len(packet) {
		return 0
	}
	return len(packet) - data
}

// stringAt reads a length-prefixed string.
func stringAt(packet []byte, at int) (string, bool) {
	if len(packet) < at+4 {
		return "", false
	}
	length := int(binary.BigEndian.Uint32(packet[at:]))
	if length > len(packet)-at-4 {
		return "", false
	}
	return string(packet[at+4 : at+4+length]), true
}

// packetID is the request number of any packet but the first ones.
func packetID(packet []byte) uint32 {
	if len(packet) < 5 {
		return 0
	}
	return binary.BigEndian.Uint32(packet[1:])
}

// readPacket reads one packet without its length.
func readPacket(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n == 0 || n > maxPacket {
		return nil, fmt.Errorf("device: an SFTP packet of %d bytes", n)
	}
	packet := make([]byte, n)
	_, err := io.ReadFull(r, packet)
	return packet, err
}

// framed puts the length before a packet.
func framed(packet []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(packet))), packet...)
}

// failure answers a request with status "failure", as servers do on a full or
// read-only disk.
func failure(id uint32) []byte {
	packet := binary.BigEndian.AppendUint32([]byte{typeStatus}, id)
	packet = binary.BigEndian.AppendUint32(packet, statusFailure)
	packet = appendString(packet, "Failure")
	return appendString(packet, "")
}

// spaceReply answers statvfs@openssh.com for a disk with so many free bytes.
func spaceReply(id uint32, free int64) []byte {
	const block = 4096
	blocks := uint64(free) / block
	packet := binary.BigEndian.AppendUint32([]byte{typeExtendedReply}, id)
	for _, field := range []uint64{block, block, blocks + 1000, blocks, blocks, 1 << 20, 1 << 20, 1 << 20, 0, 0, 255} {
		packet = binary.BigEndian.AppendUint64(packet, field)
	}
	return packet
}

func appendString(packet []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(packet, uint32(len(s))), s...)
}

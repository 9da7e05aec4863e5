package device

import (
	"io"
	"os/exec"
	"sync"

	"github.com/pkg/sftp"
)

// sftp serves the SFTP subsystem, with faults applied between client and server.
func (s *session) sftp() {
	requests, toServer := io.Pipe()
	fromServer, answers := io.Pipe()
	filter := &filter{session: s, toServer: toServer}
	var copying sync.WaitGroup
	copying.Add(2)
	go func() { defer copying.Done(); filter.requests(); toServer.Close() }()
	go func() { defer copying.Done(); filter.answers(fromServer); fromServer.Close() }()
	err := s.serveSFTP(requests, answers)
	answers.Close()
	requests.Close()
	s.channel.Close()
	copying.Wait()
	if err == nil {
		s.exit(0)
	}
}

func (s *session) serveSFTP(in io.ReadCloser, out io.WriteCloser) error {
	if s.device.sftpServer != "" {
		return s.runSFTP(in, out)
	}
	server, err := sftp.NewServer(struct {
		io.Reader
		io.WriteCloser
	}{in, out}, sftp.WithServerWorkingDirectory(s.device.home))
	if err != nil {
		return err
	}
	defer server.Close()
	return server.Serve()
}

// runSFTP serves by a program.
func (s *session) runSFTP(in io.Reader, out io.Writer) error {
	command := exec.Command(s.device.sftpServer)
	s.prepare(command)
	command.Stdout = out
	input, err := command.StdinPipe()
	if err != nil {
		return err
	}
	if err := s.start(command); err != nil {
		return err
	}
	go func() { _, _ = io.Copy(input, in); input.Close() }()
	return command.Wait()
}

// filter stands between a client and an SFTP server.
type filter struct {
	session  *session
	toServer io.Writer

	mu    sync.Mutex      // of writes to the client
	cutAt map[uint32]bool // requests whose answer cuts the connection
}

// requests passes packets on to the server until the client ends.
func (f *filter) requests() {
	for {
		packet, err := readPacket(f.session.channel)
		if err != nil {
			return
		}
		if !f.pass(packet) {
			continue
		}
		if _, err := f.toServer.Write(framed(packet)); err != nil {
			return
		}
	}
}

// pass says whether a request goes to the server.
func (f *filter) pass(packet []byte) bool {
	if packet[0] == typeInit {
		return true
	}
	id, name := packetID(packet), requestName(packet)
	switch f.session.device.faults.ask(Operation{Kind: SFTP, Name: name, Bytes: writeBytes(packet)}) {
	case Fail:
		f.send(failure(id))
		return false
	case Hang:
		return false
	case Drop:
		f.session.conn.Close()
		return false
	case DropAfter:
		f.cutAfter(id)
	}
	if free, limited := f.session.device.faults.left(); limited && name == "statvfs@openssh.com" {
		f.send(spaceReply(id, free))
		return false
	}
	return true
}

func (f *filter) cutAfter(id uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cutAt == nil {
		f.cutAt = map[uint32]bool{}
	}
	f.cutAt[id] = true
}

// answers passes packets back to the client until the server ends.
func (f *filter) answers(server io.Reader) {
	for {
		packet, err := readPacket(server)
		if err != nil {
			return
		}
		f.send(packet)
	}
}

func (f *filter) send(packet []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cutAt[packetID(packet)] {
		f.session.conn.Close()
		return
	}
	_, _ = f.session.channel.Write(framed(packet))
}

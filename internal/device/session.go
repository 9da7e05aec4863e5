package device

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"os/user"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// outputDelay is how long a session waits for the output of processes that a
// finished command has left behind.
const outputDelay = 2 * time.Second

// session is one channel: one command, or SFTP.
type session struct {
	device  *Device
	channel ssh.Channel
	conn    ssh.Conn

	started bool
	mu      sync.Mutex
	process *os.Process // of the running command; nil before
	ended   bool
}

// serve answers the requests of a session until the client closes it. A command
// goes on when its session ends, as it does under sshd; the device's Close ends it.
func (s *session) serve(requests <-chan *ssh.Request) {
	var running sync.WaitGroup
	for request := range requests {
		work := s.answer(request)
		if work != nil {
			running.Add(1)
			go func() { defer running.Done(); defer s.channel.Close(); work() }()
		}
	}
	s.channel.Close()
	running.Wait()
}

// answer gives what to run for a request that starts something.
func (s *session) answer(request *ssh.Request) func() {
	var work func()
	switch request.Type {
	case "exec":
		var payload struct{ Command string }
		if ssh.Unmarshal(request.Payload, &payload) == nil {
			work = s.first(func() { s.exec(payload.Command) })
		}
	case "subsystem":
		var payload struct{ Name string }
		if ssh.Unmarshal(request.Payload, &payload) == nil && payload.Name == "sftp" {
			work = s.first(s.sftp)
		}
	case "shell":
		work = s.first(func() { s.exec("") })
	case "signal":
		var payload struct{ Name string }
		if ssh.Unmarshal(request.Payload, &payload) == nil {
			s.signal(payload.Name)
		}
	}
	if request.WantReply {
		_ = request.Reply(work != nil, nil)
	}
	return work
}

// first lets a session start one thing only.
func (s *session) first(work func()) func() {
	if s.started {
		return nil
	}
	s.started = true
	return work
}

// exec runs a command line with the shell, and tells how it ended.
func (s *session) exec(line string) {
	action := s.device.faults.ask(Operation{Kind: Exec, Name: line})
	switch action {
	case Fail:
		_, _ = io.WriteString(s.channel.Stderr(), "injected fault\n")
		s.exit(1)
		return
	case Drop:
		s.conn.Close()
		return
	case Hang:
		_ = s.conn.Wait()
		return
	}
	state, err := s.run(line)
	if action == DropAfter {
		s.conn.Close()
		return
	}
	s.report(state, err)
}

func (s *session) run(line string) (*os.ProcessState, error) {
	command := exec.Command("/bin/sh")
	if line != "" {
		command = exec.Command("/bin/sh", "-c", line)
	}
	s.prepare(command)
	command.Stdout, command.Stderr = s.channel, s.channel.Stderr()
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := s.start(command); err != nil {
		return nil, err
	}
	go func() { _, _ = io.Copy(input, s.channel); input.Close() }()
	err = command.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return command.ProcessState, err
}

// prepare gives a command its surroundings.
func (s *session) prepare(command *exec.Cmd) {
	command.Dir, command.Env = s.device.home, s.environment()
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.WaitDelay = outputDelay
}

func (s *session) start(command *exec.Cmd) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return errors.New("the device is going down")
	}
	if err := command.Start(); err != nil {
		return err
	}
	s.process = command.Process
	return nil
}

// environment is what a login gives: nothing of this process but PATH. Workers
// that are started in it must not outlive this machine's next boot.
func (s *session) environment() []string {
	name := "device"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return []string{
		"HOME=" + s.device.home, "USER=" + name, "LOGNAME=" + name,
		"SHELL=/bin/sh", "PATH=" + os.Getenv("PATH"), "EDGEPLAN_SUPERVISION=none",
	}
}

// report sends exit-status or exit-signal, as RFC 4254 section 6.10 has it.
func (s *session) report(state *os.ProcessState, err error) {
	if state == nil {
		_, _ = io.WriteString(s.channel.Stderr(), err.Error()+"\n")
		s.exit(127)
		return
	}
	status, ok := state.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		message := struct {
			Signal     string
			CoreDumped bool
			Error      string
			Language   string
		}{Signal: signalName(status.Signal()), CoreDumped: status.CoreDump()}
		_, _ = s.channel.SendRequest("exit-signal", false, ssh.Marshal(message))
		return
	}
	s.exit(state.ExitCode())
}

func (s *session) exit(code int) {
	_, _ = s.channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(code)}))
}

// signals by their names in RFC 4254 section 6.10.
func signals() map[string]syscall.Signal {
	return map[string]syscall.Signal{
		"ABRT": syscall.SIGABRT, "ALRM": syscall.SIGALRM, "FPE": syscall.SIGFPE, "HUP": syscall.SIGHUP,
		"ILL": syscall.SIGILL, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL, "PIPE": syscall.SIGPIPE,
		"QUIT": syscall.SIGQUIT, "SEGV": syscall.SIGSEGV, "TERM": syscall.SIGTERM,
		"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2,
	}
}

func signalName(signal syscall.Signal) string {
	for name, known := range signals() {
		if known == signal {
			return name
		}
	}
	return "KILL"
}

func (s *session) signal(name string) {
	if signal, ok := signals()[name]; ok {
		s.killGroup(signal)
	}
}

// kill ends what the session runs.
func (s *session) kill() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.killGroup(syscall.SIGKILL)
}

// killGroup signals the command with its children. A command that was waited
// for is left alone: its number may be another process's.
func (s *session) killGroup(signal syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil || s.process.Signal(syscall.Signal(0)) != nil {
		return
	}
	_ = syscall.Kill(-s.process.Pid, signal)
}

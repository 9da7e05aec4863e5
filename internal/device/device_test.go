package device

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

func signer(t *testing.T) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start gives a device and a client of it.
func start(t *testing.T, o Options) (*Device, *ssh.Client) {
	t.Helper()
	key := signer(t)
	o.Address, o.AuthorizedKey, o.Home = "127.0.0.1:0", key.PublicKey(), t.TempDir()
	d, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	client, err := dialDevice(d, key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return d, client
}

func dialDevice(d *Device, key ssh.Signer) (*ssh.Client, error) {
	return ssh.Dial("tcp", d.Addr(), &ssh.ClientConfig{User: "anyone", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: ssh.FixedHostKey(d.hostKey), Timeout: 5 * time.Second})
}

func run(t *testing.T, client *ssh.Client, line, input string) (string, error) {
	t.Helper()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	session.Stdin = strings.NewReader(input)
	out, err := session.CombinedOutput(line)
	return string(out), err
}

func TestExec(t *testing.T) {
	d, client := start(t, Options{})
	tests := []struct {
		line, input, want string
		status            int
		signal            string
	}{
		{line: "pwd; echo $HOME", want: d.Home() + "\n" + d.Home() + "\n"},
		{line: "cat", input: "from here\n", want: "from here\n"},
		{line: "echo oops >&2; exit 7", want: "oops\n", status: 7},
		{line: "kill -TERM $$", signal: "TERM"},
	}
	for _, test := range tests {
		out, err := run(t, client, test.line, test.input)
		var exit *ssh.ExitError
		status, signal := 0, ""
		if errors.As(err, &exit) {
			status, signal = exit.ExitStatus(), exit.Signal()
		}
		if signal != "" {
			status = 0
		}
		if out != test.want || status != test.status || signal != test.signal {
			t.Errorf("%s: %q, status %d, signal %q, error %v", test.line, out, status, signal, err)
		}
	}
}

func TestOnlyTheAuthorizedKey(t *testing.T) {
	d, _ := start(t, Options{})
	if client, err := dialDevice(d, signer(t)); err == nil {
		client.Close()
		t.Error("another key got in")
	}
}

func TestNoForwarding(t *testing.T) {
	_, client := start(t, Options{})
	if conn, err := client.Dial("tcp", "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "only sessions") {
		t.Errorf("%v, error %v", conn, err)
	}
	if ok, _, err := client.SendRequest("keepalive@openssh.com", true, nil); ok || err != nil {
		t.Errorf("keepalive: %v, error %v", ok, err)
	}
}

// A process that detached itself outlives its session and the device; one that
// did not is ended by Close.
func TestDetachedProcessesGoOn(t *testing.T) {
	d, client := start(t, Options{})
	if _, err := run(t, client, "setsid sleep 30 >/dev/null 2>&1 </dev/null & echo $! >detached", ""); err != nil {
		t.Fatal(err)
	}
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start("echo $$ >attached; exec sleep 30"); err != nil {
		t.Fatal(err)
	}
	attached := pidIn(t, filepath.Join(d.Home(), "attached"))
	client.Close()
	time.Sleep(50 * time.Millisecond)
	if !alive(attached) {
		t.Error("a command ended with its session")
	}
	d.Close()
	detached := pidIn(t, filepath.Join(d.Home(), "detached"))
	if alive(attached) || !alive(detached) {
		t.Errorf("after Close: attached runs %v, detached runs %v", alive(attached), alive(detached))
	}
	_ = syscall.Kill(detached, syscall.SIGKILL)
}

func pidIn(t *testing.T, file string) int {
	t.Helper()
	for range 100 {
		content, _ := os.ReadFile(file)
		pid := 0
		for _, r := range strings.TrimSpace(string(content)) {
			pid = pid*10 + int(r-'0')
		}
		if pid > 0 {
			return pid
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s was not written", file)
	return 0
}

// alive tells a running process from one that is gone or a zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	_, rest, ok := strings.Cut(string(stat), ") ")
	return err == nil && ok && rest[0] != 'Z'
}

func TestSFTP(t *testing.T) {
	for _, program := range []string{"", "/usr/lib/openssh/sftp-server"} {
		t.Run(program, func(t *testing.T) {
			if _, err := os.Stat(program); program != "" && err != nil {
				t.Skip(err)
			}
			d, client := start(t, Options{SFTPServer: program})
			files := sftpClient(t, client)
			content := strings.Repeat("0123456789", 100_000)
			f, err := files.Create("file")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.ReadFrom(strings.NewReader(content)); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(d.Home(), "file"))
			if err != nil || string(got) != content {
				t.Errorf("%d bytes arrived, error %v", len(got), err)
			}
			if home, err := files.RealPath("."); err != nil || home != d.Home() {
				t.Errorf("home %q, error %v", home, err)
			}
			if err := files.PosixRename("file", "other"); err != nil {
				t.Error(err)
			}
			if err := files.Link("other", "link"); err != nil {
				t.Error(err)
			}
		})
	}
}

func sftpClient(t *testing.T, client *ssh.Client) *sftp.Client {
	t.Helper()
	files, err := sftp.NewClient(client, sftp.UseConcurrentWrites(true))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	return files
}

func TestFullDisk(t *testing.T) {
	d, client := start(t, Options{FreeBytes: 100_000})
	files := sftpClient(t, client)
	if space, err := files.StatVFS("."); err != nil || space.Bavail*space.Frsize > 100_000 {
		t.Errorf("space %+v, error %v", space, err)
	}
	write := func() error {
		f, err := files.Create("file")
		if err != nil {
			return err
		}
		_, err = f.ReadFrom(strings.NewReader(strings.Repeat("x", 200_000)))
		return errors.Join(err, f.Close())
	}
	var status *sftp.StatusError
	if err := write(); !errors.As(err, &status) || status.FxCode() != sftp.ErrSSHFxFailure {
		t.Errorf("error %v", err)
	}
	d.SetFreeBytes(-1)
	if err := write(); err != nil {
		t.Error(err)
	}
}

func TestFaults(t *testing.T) {
	at := func(n int, action Action) func(Operation) Action {
		return func(op Operation) Action {
			if op.N == n {
				return action
			}
			return Proceed
		}
	}
	t.Run("exec fails", func(t *testing.T) {
		_, client := start(t, Options{Fault: at(2, Fail)})
		for i, want := range []bool{true, false, true} {
			if _, err := run(t, client, "true", ""); (err == nil) != want {
				t.Errorf("command %d: error %v", i+1, err)
			}
		}
	})
	t.Run("connection drops after", func(t *testing.T) {
		d, client := start(t, Options{Fault: at(1, DropAfter)})
		if _, err := run(t, client, "touch done", ""); err == nil {
			t.Error("no error")
		}
		if _, err := os.Stat(filepath.Join(d.Home(), "done")); err != nil {
			t.Error(err)
		}
	})
	t.Run("SFTP request fails", func(t *testing.T) {
		d, client := start(t, Options{Fault: at(1, Fail)})
		files := sftpClient(t, client)
		if err := files.Mkdir("dir"); err == nil {
			t.Error("no error")
		}
		if err := files.Mkdir("dir"); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(d.Home(), "dir")); err != nil {
			t.Error(err)
		}
	})
	t.Run("hang", func(t *testing.T) {
		d, client := start(t, Options{Fault: at(1, Hang)})
		done := make(chan error, 1)
		go func() { _, err := run(t, client, "true", ""); done <- err }()
		select {
		case err := <-done:
			t.Errorf("answered: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		d.Disconnect()
		if err := <-done; err == nil {
			t.Error("no error")
		}
	})
}

func FuzzPacket(f *testing.F) {
	f.Add([]byte{0, 0, 0, 5, typeWrite, 0, 0, 0, 1})
	f.Add(framed([]byte{typeExtended, 0, 0, 0, 1, 0, 0, 0, 2, 'a', 'b'}))
	f.Fuzz(func(t *testing.T, data []byte) {
		packet, err := readPacket(strings.NewReader(string(data)))
		if err != nil {
			if len(data) == 0 && !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			return
		}
		if n := writeBytes(packet); n < 0 || n > len(packet) {
			t.Errorf("%d bytes in a packet of %d", n, len(packet))
		}
		_, _ = requestName(packet), packetID(packet)
	})
}

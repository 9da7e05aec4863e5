package main_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/edgeplan/edgeplan/internal/device/sshdtest"
)

const lockedConfig = `
ssh {
  identity_file = "locked key"
  known_hosts   = "known_hosts"
}
node "pi" {
  address = %q
  port    = %d
  user    = %q
  memory  = "256MiB"
  compute = "1GFLOPS"
}
`

// lockedFolder is a configuration of one OpenSSH server that lets in by a key under a passphrase.
func lockedFolder(t *testing.T, passphrase string) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	server := sshdtest.Start(t, sshdtest.Options{AuthorizedKey: key})
	known := knownhosts.Line([]string{net.JoinHostPort(server.Host, strconv.Itoa(server.Port))}, hostKey(t, server.HostKeyLine))
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"locked key":        pem.EncodeToMemory(block),
		"known_hosts":       []byte(known + "\n"),
		"main.edgeplan.hcl": fmt.Appendf(nil, lockedConfig, server.Host, server.Port, server.User),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func doctorIn(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	command := exec.CommandContext(ctx, filepath.Join(program, "edgeplan"), "doctor")
	command.Dir = dir
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TERM=dumb"}
	return command
}

// A person types the passphrase of a key at a terminal, rightly at once or at last, or never,
// or thinks better of it. What is typed is never shown.
func TestPassphraseAtATerminal(t *testing.T) {
	const passphrase, wrong = "correct horse", "wrong horse"
	dir := lockedFolder(t, passphrase)
	key := filepath.Join(dir, "locked key")
	cases := map[string]struct {
		types []string // at one question each
		says  []string
	}{
		"right": {[]string{passphrase + "\n"}, []string{"node.pi: ok: linux/"}},
		"right in the end": {[]string{wrong + "\n", "\n", passphrase + "\n"},
			[]string{"That is not it. Passphrase of " + key, "node.pi: ok: linux/"}},
		"wrong thrice": {[]string{wrong + "\n", wrong + "\n", wrong + "\n"},
			[]string{"node.pi: error", "none of the 3 that were given opens it", "ssh-add '" + key + "'"}},
		"interrupt": {[]string{"corr\x03"}, []string{"interrupted"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			command := doctorIn(t, dir)
			terminal, err := pty.StartWithSize(command, &pty.Winsize{Rows: 50, Cols: 250})
			if err != nil {
				t.Skip("no pseudo terminals here: ", err)
			}
			defer terminal.Close()
			shown, err := converse(t, terminal, "Passphrase of "+key+": ", c.types)
			if err != nil {
				t.Fatal(err)
			}
			_ = command.Wait() // without workers and engines there is no plan
			text := strings.Join(strings.Fields(shown), " ")
			for _, want := range c.says {
				if !strings.Contains(text, want) {
					t.Errorf("no %q", want)
				}
			}
			if strings.Contains(shown, "horse") || strings.Contains(shown, "corr") {
				t.Error("the passphrase is shown")
			}
			if !echoes(t, terminal) {
				t.Error("the terminal goes on to hide what is typed")
			}
			if t.Failed() {
				t.Log(shown)
			}
		})
	}
}

// converse types one answer whenever the question is on the terminal, which hides it by then,
// and gives all that was shown there until the program ended.
func converse(t *testing.T, terminal *os.File, question string, answers []string) (string, error) {
	var shown bytes.Buffer
	buffer := make([]byte, 4096)
	for asked := 0; ; {
		n, err := terminal.Read(buffer)
		shown.Write(buffer[:n])
		if errors.Is(err, syscall.EIO) || err == io.EOF { // Linux has the first for a program that has ended
			return shown.String(), nil
		}
		if err != nil {
			return shown.String(), err
		}
		for ; asked < strings.Count(shown.String(), question); asked++ {
			if asked == len(answers) {
				return shown.String(), fmt.Errorf("it asks once more:\n%s", shown.String())
			}
			if echoes(t, terminal) {
				t.Error("the question comes before what is typed is hidden")
			}
			if _, err := io.WriteString(terminal, answers[asked]); err != nil {
				return shown.String(), err
			}
		}
	}
}

// echoes says whether a terminal shows what is typed (termios(3)).
func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(terminal.Fd()), readTermios)
	if err != nil {
		t.Fatal(err)
	}
	return settings.Lflag&unix.ECHO != 0
}

// Where there is no terminal the error says how to do without.
func TestPassphraseWithoutATerminal(t *testing.T) {
	dir := lockedFolder(t, "correct horse")
	for given, want := range map[string]string{
		"":            "there is no terminal to ask for it on",
		"wrong horse": "that of EDGEPLAN_SSH_PASSPHRASE does not open it",
	} {
		command := doctorIn(t, dir)
		command.Env = append(command.Env, "EDGEPLAN_SSH_PASSPHRASE="+given)
		command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		out, err := command.CombinedOutput()
		text := strings.Join(strings.Fields(string(out)), " ")
		if err == nil || !strings.Contains(text, want) || !strings.Contains(text, "ssh-add '"+filepath.Join(dir, "locked key")+"'") {
			t.Errorf("error %v, output %s", err, out)
		}
	}
	command := doctorIn(t, dir)
	command.Env = append(command.Env, "EDGEPLAN_SSH_PASSPHRASE=correct horse")
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if out, _ := command.CombinedOutput(); !strings.Contains(string(out), "node.pi: ok: linux/") {
		t.Errorf("%s", out)
	}
}

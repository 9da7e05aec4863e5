package gift

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A device without a worker gets the program that runs on another, by a shell alone; nothing else
// is given that way, and to nobody else.
func TestFetch(t *testing.T) {
	if out, err := exec.Command("sh", "-c", CanFetch).Output(); err != nil || string(out) != "yes\n" {
		t.Skipf("bash cannot connect here: %q, %v", out, err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	from, to := t.TempDir(), t.TempDir()
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	own := File{Digest: hex.EncodeToString(sum[:]), Size: int64(len(content))}
	if err := os.Symlink(program, filepath.Join(from, own.Digest)); err != nil { // a blob is no link
		t.Fatal(err)
	}
	other := blob(t, from, 1, 1000)
	secret := NewSecret()
	ask := func(f ...File) GiveRequest {
		return GiveRequest{Secret: secret, Files: f, Itself: &Listen{"127.0.0.1", firstPort(t)}}
	}
	for name, request := range map[string]GiveRequest{"another file": ask(other), "a link to it": ask(own)} {
		giver := startGiver(t, from, request)
		if end := giver.last(t); end.Port != 0 {
			t.Errorf("%s: it listens", name)
		}
		if err := <-giver.done; err == nil || !strings.Contains(err.Error(), "only the worker program") {
			t.Errorf("%s: %v", name, err)
		}
	}
	blobs := filepath.Dir(program) // the same file system, for a hard link
	link := filepath.Join(blobs, own.Digest)
	if err := os.Link(program, link); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(link)
	giver := startGiver(t, blobs, ask(own))
	var where Report
	if err := giver.out.Decode(&where); err != nil {
		t.Fatal(err, <-giver.done)
	}
	fetch := func(secret []byte) (string, error) {
		command := exec.Command("bash", "-c", Fetch, "fetch", to, prefix+own.Digest, "127.0.0.1", fmt.Sprint(where.Port), fmt.Sprint(own.Size))
		command.Stdin = strings.NewReader(hex.EncodeToString(secret) + "\n")
		out, err := command.CombinedOutput()
		return string(out), err
	}
	if out, err := fetch(NewSecret()); err == nil || !strings.Contains(out, "stopped in the middle") {
		t.Errorf("with another secret: %q, %v", out, err)
	}
	write(t, filepath.Join(to, prefix+own.Digest), []byte("left by an upload"))
	closed := exec.Command("bash", "-c", Fetch, "fetch", to, prefix+own.Digest, "127.0.0.1", "1", fmt.Sprint(own.Size))
	closed.Stdin = strings.NewReader(hex.EncodeToString(secret) + "\n")
	if out, err := closed.CombinedOutput(); err == nil || !strings.Contains(string(out), "the other device is not reached") {
		t.Errorf("at a port where nobody is: %q, %v", out, err)
	}
	if left, err := os.ReadFile(filepath.Join(to, prefix+own.Digest)); err != nil || string(left) != "left by an upload" {
		t.Errorf("of the upload is left %q, %v", left, err)
	}
	write(t, filepath.Join(to, prefix+own.Digest), []byte("left by an earlier run"))
	if out, err := fetch(secret); err != nil || !strings.HasSuffix(out, fmt.Sprintf("{\"bytes\":%d,\"done\":true}\n", own.Size)) {
		t.Errorf("%q, %v", out, err)
	}
	if err := <-giver.done; err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(filepath.Join(to, prefix+own.Digest)); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes of %d, %v", len(got), len(content), err)
	}
}

// A bash without /dev/tcp says so in the operator's language.
func TestCanFetchInAnyLanguage(t *testing.T) {
	folder := t.TempDir()
	bash := "#!/bin/sh\n[ \"$LC_ALL\" = C ] && echo No such file or directory || echo Datei oder Verzeichnis nicht gefunden\n"
	if err := os.WriteFile(filepath.Join(folder, "bash"), []byte(bash), 0o755); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("sh", "-c", CanFetch)
	command.Env = []string{"PATH=" + folder + ":" + os.Getenv("PATH"), "LC_ALL=de_DE.UTF-8"}
	if out, err := command.Output(); err != nil || len(out) > 0 {
		t.Errorf("%q, %v", out, err)
	}
}

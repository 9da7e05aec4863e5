package deployer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	embedded "github.com/edgeplan/edgeplan/internal/device"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// What a run that is gone had under way still opens files by their names, and cuts them off at
// where it was to go on. Between the digest of what a later run has continued and its renaming to
// a blob it must find none.
func TestPartIsOfOneRunAlone(t *testing.T) {
	t.Parallel()
	c := bareCluster(t)
	c.addDevice("a", embedded.Options{})
	s, program := c.employedReal("a")
	content := noise(1, 5<<20)
	blob := c.blobs.add("", content)
	gone := c.open("a")
	dir := filepath.Join(c.root("a"), "blobs", "sha256")
	c.write(filepath.Join(dir, gone.partName(blob.Digest)), string(content[:3<<20]))
	var late error
	var once sync.Once
	c.devices["a"].SetFault(func(op embedded.Operation) embedded.Action {
		if op.Kind == embedded.SFTP && strings.HasPrefix(op.Name, "posix-rename") {
			once.Do(func() {
				file := worker.Incoming{Name: gone.partName(blob.Digest), Offset: 2 << 20, Size: blob.Size}
				late = worker.Receive(dir, strings.NewReader(file.Line()+"and no more comes"), io.Discard)
			})
		}
		return embedded.Proceed
	})
	if err := s.upload(context.Background(), c.blobs, []statefile.Blob{blob}); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(late, fs.ErrNotExist) {
		t.Errorf("what the run before had under way says %v", late)
	}
	c.inPlace("a", []statefile.Blob{blob, program})
}

// Parts of a run before are continued under the names of this one, and its packs go.
func TestPartsAreTakenOver(t *testing.T) {
	t.Parallel()
	c := bareCluster(t)
	c.addDevice("a", embedded.Options{})
	before, s := c.open("a"), c.open("a")
	plainly, zipped := c.blobs.add("", noise(1, 5<<20)), c.blobs.add("", bytes.Repeat([]byte("a"), 6<<20))
	dir := filepath.Join(c.root("a"), "blobs", "sha256")
	c.write(filepath.Join(dir, before.partName(plainly.Digest)), strings.Repeat("a", 3<<20))
	c.write(filepath.Join(dir, before.partName(zipped.Digest)+string(compressed)), strings.Repeat("a", 2<<20))
	c.write(filepath.Join(dir, before.temporaryName()), "a pack")
	there, err := s.openBlobs(context.Background(), []statefile.Blob{plainly, zipped})
	if err != nil {
		t.Fatal(err)
	}
	if there.parts[plainly.Digest][plain] != 3<<20 || there.parts[zipped.Digest][compressed] != 2<<20 {
		t.Errorf("found %v", there.parts)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	hidden, hiddenErr := filepath.Glob(filepath.Join(dir, ".*"))
	if err := errors.Join(err, hiddenErr); err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, hidden...) {
		if !strings.HasPrefix(filepath.Base(file), s.partPrefix()) {
			t.Errorf("%s is there", file)
		}
	}
}

package testbed

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// ownMachine is e_machine of this machine's programs (elf(5)): EM_X86_64 or EM_AARCH64.
var ownMachine = map[string]byte{"amd64": 62, "arm64": 183}[runtime.GOARCH]

// makeDisk makes the image of a disk with an ext4 file system that takes all its space.
func makeDisk(image string, bytes int64) error {
	f, err := os.Create(image)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(bytes); err != nil {
		return err
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", "-m", "0", image).CombinedOutput(); err != nil {
		return fmt.Errorf("mkfs.ext4: %w: %s", err, out)
	}
	return nil
}

package deployer

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/edgeplan/edgeplan/internal/gift"
	"github.com/edgeplan/edgeplan/statefile"
)

// Architectures asks devices what they are: linux/amd64, linux/arm64 or
// linux/arm, by node address. The error joins those of all devices.
func Architectures(ctx context.Context, nodes map[string]statefile.Node, o Options) (map[string]string, error) {
	o = o.withDefaults()
	found := map[string]string{}
	var mu sync.Mutex
	err := each(sortedKeys(nodes), o.Devices, func(name string) error {
		d := newDevice(name, nodes[name], o)
		defer d.close()
		architecture, err := d.architecture(ctx)
		if err != nil {
			return d.failed(err)
		}
		mu.Lock()
		defer mu.Unlock()
		found[name] = architecture
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// machineScript prints the system, the machine, and the width of its programs,
// which need not be the kernel's. Where there is no getconf, the shell tells: the
// fifth byte of an ELF file is 1 for 32 bits and 2 for 64.
const machineScript = `
uname -s
uname -m
getconf LONG_BIT 2>/dev/null || case $(dd if=/bin/sh bs=1 skip=4 count=1 2>/dev/null | od -An -tx1 2>/dev/null) in
*01*) echo 32 ;;
*02*) echo 64 ;;
*) echo unknown ;;
esac
`

func (d *device) architecture(ctx context.Context) (string, error) {
	out, err := d.script(ctx, "uname", machineScript)
	if err != nil {
		return "", err
	}
	lines := strings.Split(out+"\n\n", "\n")
	architecture := architectureOf(lines[0], lines[1], lines[2])
	if loader(architecture) == "" {
		return "", fmt.Errorf("the device is %s: edgeplan runs on linux/amd64, linux/arm64 and linux/arm", architecture)
	}
	return architecture, nil
}

// architectureOf names what uname and getconf say as Go does. A 64-bit kernel
// may carry 32-bit programs only, as Raspberry Pi OS has it.
func architectureOf(system, machine, bits string) string {
	narrow := bits == "32"
	switch {
	case machine == "x86_64" && !narrow:
		machine = "amd64"
	case machine == "x86_64":
		machine = "386"
	case (machine == "aarch64" || machine == "arm64") && !narrow:
		machine = "arm64"
	case machine == "aarch64", strings.HasPrefix(machine, "armv6"), strings.HasPrefix(machine, "armv7"), strings.HasPrefix(machine, "armv8"):
		machine = "arm"
	}
	return strings.ToLower(system) + "/" + machine
}

// Fetchers are those of some devices without a worker program that could get one from another
// device: they have a shell that connects. One that does not answer is none.
func Fetchers(ctx context.Context, nodes map[string]statefile.Node, o Options) map[string]bool {
	o = o.withDefaults()
	found := map[string]bool{}
	var mu sync.Mutex
	_ = each(sortedKeys(nodes), o.Devices, func(name string) error {
		d := newDevice(name, nodes[name], o)
		defer d.close()
		out, err := d.script(ctx, "look for a shell", gift.CanFetch)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && out == "yes\n" {
			found[name] = true
		}
		return nil
	})
	return found
}

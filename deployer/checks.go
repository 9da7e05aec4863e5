package deployer

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// clockTolerance is how far a clock may be off before anybody has to know.
const clockTolerance = 2 * time.Minute

// checkClock warns of a clock that is off.
func (m measured) checkClock() error {
	if !m.clock || m.skew.Abs() <= clockTolerance {
		return nil
	}
	direction := "ahead of"
	if m.skew < 0 {
		direction = "behind"
	}
	return problemf("clock", "set it, best with NTP (there: `timedatectl set-ntp true`), or set this machine's if that is wrong",
		"the clock is %s %s this machine's, so times in logs mislead, and clients may take certificates for invalid", m.skew.Abs().Round(time.Second), direction)
}

// engineGlibc is what the engine asks of the C library: ONNX Runtime 1.24 is
// linked with glibc 2.27.
var engineGlibc = [2]int{2, 27}

// checkLibrary compares the C library's version with what the engine needs.
func (m measured) checkLibrary() error {
	version, ok := strings.CutPrefix(m.libc, "glibc ")
	major, minor, _ := strings.Cut(version, ".")
	x, err1 := strconv.Atoi(major)
	y, err2 := strconv.Atoi(minor)
	if !ok || err1 != nil || err2 != nil || x > engineGlibc[0] || x == engineGlibc[0] && y >= engineGlibc[1] {
		return nil
	}
	return problemf("libc", "update the device's system",
		"the C library is %s, and the engine needs glibc %d.%d or later", m.libc, engineGlibc[0], engineGlibc[1])
}

// checkTotal refuses what a device can never hold.
func (m measured) checkTotal(needed int64) error {
	if m.total == 0 || needed <= m.total {
		return nil
	}
	return problemf("memory", "lower `memory` of the node to what it has, so that the plan puts less there",
		"the plan needs %s of memory there, and the device has %s in all, counting limits of its control groups", byteCount(needed), byteCount(m.total))
}

// checkAvailable warns where other programs have the memory right now.
func (m measured) checkAvailable(needed int64) error {
	if m.total == 0 || needed <= m.available || needed > m.total {
		return nil
	}
	return problemf("memory", "end other programs there, or lower `memory` of the node",
		"the plan needs %s of memory there, and %s are available: the kernel may end the new worker, or another program", byteCount(needed), byteCount(m.available))
}

// checkFileSize refuses what the system does not let the user write: it ends who tries.
func (m measured) checkFileSize(missing []statefile.Blob, user string) error {
	for _, blob := range missing {
		if m.fileSize > 0 && blob.Size > m.fileSize {
			return m.tooBig(blobName(blob), blob.Size, user)
		}
	}
	return nil
}

func (m measured) tooBig(what string, size int64, user string) error {
	return problemf("space", "raise the limit (`fsize` in /etc/security/limits.conf there, or LimitFSIZE= in the unit of its SSH server), until `ulimit -f` there says unlimited",
		"%s has %s, and a file that user %s writes there may have %s at most", what, byteCount(size), user, byteCount(m.fileSize))
}

// memoryNeeded is what a node's workers take at most, beyond what runs, while the
// deployments of a plan are carried out in their order.
func memoryNeeded(p *plan.Plan, node string) int64 {
	var now, most int64
	for _, d := range p.Deployments {
		if d.To == nil && d.From != nil { // stopped before the others start
			now -= plan.WorkerBytes(d.From, node)
		}
	}
	for _, d := range p.Deployments {
		if d.To == nil || d.Switch == plan.Beside && d.From != nil && d.From.Release == d.To.Release {
			continue // nothing starts
		}
		var old int64
		if d.From != nil {
			old = plan.WorkerBytes(d.From, node)
		}
		now += plan.WorkerBytes(d.To, node)
		if d.Switch == plan.StopFirst {
			now, old = now-old, 0
		}
		most = max(most, now)
		now -= old
	}
	return most
}

// hasEngine says whether a node runs a stage.
func hasEngine(blobs []statefile.Blob) bool {
	for _, blob := range blobs {
		if blob.Name == worker.EngineFile {
			return true
		}
	}
	return false
}

// checkKept refuses to go back to a release whose files are gone: nothing else has them.
func (a *applying) checkKept(s *site, missing []statefile.Blob) error {
	if a.plan.Mode != plan.RollingBack || len(missing) == 0 {
		return nil
	}
	return problemf("release", "`edgeplan apply` brings what the configuration says instead",
		"the earlier release is no longer whole: %s missing there (%s first), and a rollback has them from nowhere else",
		isAre(len(missing), "file"), blobName(missing[0]))
}

func isAre(n int, thing string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s is", thing)
	}
	return fmt.Sprintf("%d %ss are", n, thing)
}

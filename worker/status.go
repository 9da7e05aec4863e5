package worker

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Status of the worker of a release folder.
type Status struct {
	Running bool   `json:"running"`
	Ready   bool   `json:"ready"` // its engine is loaded and it takes requests
	Node    string `json:"node,omitempty"`
	Model   string `json:"model,omitempty"`
	Release string `json:"release,omitempty"`
	// LostAddress is where neighbours connect, if that was an address of the device and is none now.
	LostAddress string `json:"lost_address,omitempty"`

	PID           int     `json:"pid,omitempty"`
	Version       string  `json:"version,omitempty"` // of the running worker
	UptimeSeconds float64 `json:"uptime_seconds,omitempty"`
	ResidentBytes int64   `json:"resident_bytes,omitempty"`

	// OldKey says that the device has another key by now than the worker, which goes on with
	// the one before.
	OldKey bool `json:"old_key,omitempty"`

	// Supervision is what keeps a running worker running.
	Supervision Supervision `json:"supervision,omitempty"`
	// Warnings of a start, as that the worker does not come back after a reboot.
	Warnings []string `json:"warnings,omitempty"`
	// Log is the end of the log of a worker that did not start.
	Log string `json:"log,omitempty"`
}

// askTimeout bounds a question to a worker on the same device.
const askTimeout = 2 * time.Second

// ReadStatus looks at the worker of a release folder. That none runs is no error.
func ReadStatus(dir string) (Status, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return Status{}, err
	}
	s := Status{Node: m.Node, Model: m.Model, Release: m.Release, LostAddress: lostAddress(dir, m)}
	process, err := running(dir, LockFile)
	if err != nil || process == nil {
		return s, err
	}
	defer process.Release()
	s.Running, s.PID, s.Supervision = true, process.Pid, readMark(dir).Supervision
	s.UptimeSeconds, s.ResidentBytes = measure(process.Pid)
	s.ask(dir)
	return s, nil
}

// ask talks to the worker itself; one that does not answer is not ready.
func (s *Status) ask(dir string) {
	conn, err := dialControl(dir)
	if err != nil {
		return
	}
	client, err := NewClient(conn)
	if err != nil {
		return
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	if s.Ready, err = client.Ready(ctx); err != nil {
		return
	}
	s.Version, _ = client.Version(ctx)
	key, err := client.Key(ctx)
	s.OldKey = err == nil && isReplacedKey(dir, key)
}

// isReplacedKey says whether the device has another key than one that a worker tells of. Times of
// files say nothing of that: a board without a battery starts with a clock that is behind.
func isReplacedKey(dir, running string) bool {
	path, err := KeyPath(dir)
	if err != nil {
		return false
	}
	key, err := readKey(path)
	return err == nil && PublicKey(key) != running
}

func dialControl(dir string) (net.Conn, error) {
	path, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, fmt.Errorf("no worker answers in %s: %w", dir, err)
	}
	return conn, nil
}

// measure gives a process's age in seconds and its resident memory in bytes
// from proc(5), and 0 where there is none.
func measure(pid int) (uptime float64, resident int64) {
	folder := "/proc/" + strconv.Itoa(pid)
	if stat, err := os.ReadFile(folder + "/stat"); err == nil {
		uptime = age(stat)
	}
	if statm, err := os.ReadFile(folder + "/statm"); err == nil {
		if fields := strings.Fields(string(statm)); len(fields) > 1 {
			pages, _ := strconv.ParseInt(fields[1], 10, 64)
			resident = pages * int64(os.Getpagesize())
		}
	}
	return uptime, resident
}

// age is the time since boot less field 22 of /proc/PID/stat, which counts in
// hundredths of a second on every Linux. The wall clock of a board may jump.
func age(stat []byte) float64 {
	_, rest, found := bytes.Cut(stat, []byte(") ")) // the name before may hold blanks
	fields := strings.Fields(string(rest))
	boot, err := os.ReadFile("/proc/uptime")
	if !found || err != nil || len(fields) < 20 {
		return 0
	}
	started, err := strconv.ParseFloat(fields[19], 64)
	now, err2 := strconv.ParseFloat(strings.Fields(string(boot) + " 0")[0], 64)
	if err != nil || err2 != nil {
		return 0
	}
	return math.Round(100*now-started) / 100
}

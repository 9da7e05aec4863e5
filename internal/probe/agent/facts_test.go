package agent

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/internal/probe"
)

// What the kernel's files say, with control groups of both versions, nested and not.
func TestFacts(t *testing.T) {
	const memory = "MemTotal:        1000000 kB\nMemFree: 5 kB\nMemAvailable:     600000 kB\n"
	const kib = 1 << 10
	plain := probe.Facts{Cores: 1 << 16, MemoryTotalBytes: 1000000 * kib, MemoryAvailableBytes: 600000 * kib}
	with := func(change func(*probe.Facts)) probe.Facts {
		f := plain
		change(&f)
		return f
	}
	tests := []struct {
		name  string
		files map[string]string
		want  probe.Facts
	}{
		{"nothing to read", nil, probe.Facts{Cores: 1 << 16}},
		{"no control groups", map[string]string{"proc/meminfo": memory}, plain},
		{"garbage", map[string]string{"proc/meminfo": "MemTotal: lots\nMemAvailable: -5 kB\n:\n", "proc/self/cgroup": "::::\n0::\n\x00"}, probe.Facts{Cores: 1 << 16}},
		{"version 2", map[string]string{"proc/meminfo": memory, "proc/self/cgroup": "0::/user.slice/app\n",
			"sys/fs/cgroup/user.slice/app/cpu.max": "150000 100000\n", "sys/fs/cgroup/user.slice/app/memory.max": "max\n",
			"sys/fs/cgroup/user.slice/memory.max": "104857600\n", "sys/fs/cgroup/user.slice/memory.current": "52428800\n",
			"sys/fs/cgroup/user.slice/memory.stat": "anon 1\ninactive_file 10485760\n"},
			with(func(f *probe.Facts) { f.Cores, f.MemoryLimitBytes, f.MemoryLeftBytes = 2, 104857600, 62914560 })},
		{"version 2, the outer is tighter", map[string]string{"proc/meminfo": memory, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/cpu.max": "max 100000\n", "sys/fs/cgroup/a/cpu.max": "50000 100000\n"},
			with(func(f *probe.Facts) { f.Cores = 1 })},
		{"version 1", map[string]string{"proc/meminfo": memory, "proc/self/cgroup": "5:cpu,cpuacct:/box\n4:memory:/box\n0::/\n",
			"sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "300000\n", "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
			"sys/fs/cgroup/memory/box/memory.limit_in_bytes": "268435456\n", "sys/fs/cgroup/memory/box/memory.usage_in_bytes": "300000000\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"},
			with(func(f *probe.Facts) { f.Cores, f.MemoryLimitBytes, f.MemoryLeftBytes = 3, 268435456, 0 })},
		{"version 1 without limits", map[string]string{"proc/meminfo": memory, "proc/self/cgroup": "5:cpu:/\n4:memory:/\n",
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, plain},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir() + "/"
			for name, content := range test.files {
				path := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(test.want, system{root}.facts()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A byte over TLS costs something, and less than a microsecond on any machine that
// runs this.
func TestWireCost(t *testing.T) {
	cost, err := wireCost(wireTime / 3)
	if err != nil || cost <= 0 || cost > 1e-6 {
		t.Errorf("%g seconds, %v", cost, err)
	}
}

// The tightest quota counts, with the period in which it is granted.
func TestQuota(t *testing.T) {
	root := t.TempDir() + "/"
	for name, content := range map[string]string{
		"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "150000 100000\n", "sys/fs/cgroup/a/cpu.max": "2000 10000\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := (system{root}).groups().quota(), (quota{processors: 0.2, period: 0.01}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := (system{t.TempDir() + "/"}).groups().quota(); got != (quota{}) {
		t.Errorf("without groups %+v", got)
	}
}

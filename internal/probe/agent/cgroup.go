package agent

import (
	"math"
	"path"
	"strconv"
	"strings"
)

// controlGroups are the folders of the control groups that this process is in, the
// innermost first, of either version of the interface.
type controlGroups struct {
	system
	unified     []string // version 2
	memoryV1    []string
	processorV1 []string
}

// groups finds them (cgroups(7), /proc/self/cgroup).
func (s system) groups() controlGroups {
	g := controlGroups{system: s}
	for line := range strings.Lines(s.read("proc/self/cgroup")) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			switch controller {
			case "":
				g.unified = upwards("sys/fs/cgroup", parts[2])
			case "memory":
				g.memoryV1 = upwards("sys/fs/cgroup/memory", parts[2])
			case "cpu":
				g.processorV1 = upwards("sys/fs/cgroup/cpu", parts[2])
			}
		}
	}
	return g
}

// upwards are a folder below another and all between them.
func upwards(top, below string) []string {
	var list []string
	for dir := path.Join("/", below); ; dir = path.Dir(dir) {
		list = append(list, path.Join(top, dir))
		if dir == "/" {
			return list
		}
	}
}

// quota is the time of processors that control groups grant.
type quota struct {
	processors float64 // 0 is no limit
	period     float64 // seconds: how often what is granted begins anew
}

// quota is the least that the groups allow.
func (g controlGroups) quota() quota {
	least := quota{processors: math.Inf(1)}
	note := func(granted, period string) {
		q, err1 := strconv.ParseFloat(granted, 64)
		p, err2 := strconv.ParseFloat(period, 64)
		if err1 == nil && err2 == nil && q > 0 && p > 0 {
			if q/p < least.processors {
				least = quota{q / p, p / 1e6}
			}
		}
	}
	for _, dir := range g.unified {
		granted, period, _ := strings.Cut(g.read(dir+"/cpu.max"), " ")
		note(granted, period)
	}
	for _, dir := range g.processorV1 {
		note(g.read(dir+"/cpu.cfs_quota_us"), g.read(dir+"/cpu.cfs_period_us"))
	}
	if math.IsInf(least.processors, 1) {
		return quota{}
	}
	return least
}

// memory is the lowest limit and the least that any leaves; 0 and 0 without a limit.
func (g controlGroups) memory() (limit, left int64) {
	note := func(limitText, usedText, inactive string) {
		l, err := strconv.ParseInt(limitText, 10, 64)
		if err != nil || l <= 0 || l > 1<<60 { // "max", or version 1's way to say so
			return
		}
		used, _ := strconv.ParseInt(usedText, 10, 64)
		dropped, _ := strconv.ParseInt(inactive, 10, 64)
		rest := max(0, l-max(0, used-max(0, dropped)))
		if limit == 0 || rest < left {
			left = rest
		}
		if limit == 0 || l < limit {
			limit = l
		}
	}
	for _, dir := range g.unified {
		note(g.read(dir+"/memory.max"), g.read(dir+"/memory.current"), g.stat(dir, "inactive_file"))
	}
	for _, dir := range g.memoryV1 {
		note(g.read(dir+"/memory.limit_in_bytes"), g.read(dir+"/memory.usage_in_bytes"), g.stat(dir, "total_inactive_file"))
	}
	return limit, left
}

// stat is a value of memory.stat.
func (g controlGroups) stat(dir, name string) string {
	for line := range strings.Lines(g.read(dir + "/memory.stat")) {
		if key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key == name {
			return value
		}
	}
	return ""
}

package worker

import (
	"errors"
	"path/filepath"
)

// RunningIn tells of the workers that run in any release below edgeplan's folder on a
// device: their models, each once, and what they hold in memory.
func RunningIn(root string) (models []string, bytes int64, err error) {
	locks, err := filepath.Glob(filepath.Join(root, "*", releasesFolder, "*", LockFile))
	if err != nil {
		return nil, 0, err
	}
	seen := map[string]bool{}
	var faults []error
	for _, lock := range locks {
		dir := filepath.Dir(lock)
		process, err := running(dir, LockFile)
		if err != nil || process == nil {
			faults = append(faults, err)
			continue
		}
		if _, resident := measure(process.Pid); resident > 0 {
			bytes += resident
		}
		process.Release()
		if m, err := ReadManifest(dir); err == nil && !seen[m.Model] {
			seen[m.Model], models = true, append(models, m.Model)
		}
	}
	return models, bytes, errors.Join(faults...)
}

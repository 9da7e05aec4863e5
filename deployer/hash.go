package deployer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// slowestHash is the speed, in bytes per second, that a device has to reach
// when it hashes files: a worn SD card behind a slow processor.
const slowestHash = 2 << 20

// hash gives the sha256 digests of files in a folder, computed on the device.
// What is missing or cannot be read has none. size is that of all files.
func (s *site) hash(ctx context.Context, dir string, names []string, size int64) (map[string]string, error) {
	sums := map[string]string{}
	limit := s.o.AnswerTimeout + secondsFor(size)
	for chunk := range slices.Chunk(names, batchFiles) {
		args := append([]string{"sh", "-c", sumFunction + `cd "$1" && shift && sum "$@"`, "hash files", dir, s.helperProgram()}, chunk...)
		out, err := s.runFor(ctx, limit, args...)
		if err != nil {
			return nil, err
		}
		if err := parseSums(out, sums); err != nil {
			return nil, err
		}
	}
	return sums, nil
}

// parseSums reads what sha256sum and worker programs print: digest, blank, blank or star, name.
func parseSums(out string, sums map[string]string) error {
	for line := range strings.Lines(out) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok || len(name) < 2 || !digestPattern.MatchString(sum) {
			return fmt.Errorf("%q was printed and should be a sha256 digest and the name of a file", shortened(line))
		}
		sums[name[1:]] = sum
	}
	return nil
}

// secondsFor is how long a device may take to read so many bytes.
func secondsFor(bytes int64) time.Duration {
	return time.Duration(bytes/slowestHash) * time.Second
}

package deployer

import (
	"context"
	"slices"

	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// sumFunction defines `sum PROGRAM FILE...`, which prints digests as sha256sum does: by the
// worker program, which is several times as fast on many processors, or "" for without.
const sumFunction = `
sum() {
	program=$1
	shift
	if [ -n "$program" ]; then
		"$program" sum "$@"
	else
		sha256sum "$@" || :
	fi
}
`

// helperProgram is a worker program on the device that hashes and receives files for this
// run: it was tried, and its own digest is right. "" is none.
func (s *site) helperProgram() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.helper
}

// employ tries a worker program that is in its place. One that does not run here is no help,
// and no failure: what is to be done is done without.
func (s *site) employ(ctx context.Context, program statefile.Blob) {
	file, sums := s.blob(program.Digest), map[string]string{}
	out, err := s.run(ctx, file, "sum", file)
	if err != nil || parseSums(out, sums) != nil || sums[file] != program.Digest {
		return
	}
	s.markVerified(program.Digest)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.helper = file
}

// employFrom is for how many bytes a program that is there already is tried.
const employFrom = 32 << 20

// employHeld lets the next upload try the worker program among the blobs of a device for those
// that it is about to get. That it prints the digest it should have shows that it is whole as
// well. One that is damaged is found and mended later, as any other blob.
func (s *site) employHeld(ctx context.Context, blobs, coming []statefile.Blob) error {
	at := slices.IndexFunc(blobs, func(b statefile.Blob) bool { return b.Name == worker.ProgramFile })
	if at >= 0 && !slices.Contains(coming, blobs[at]) && totalBytes(coming) >= employFrom {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.untried = &blobs[at]
	}
	return context.Cause(ctx)
}

// takeUntried gives the program that is to be tried, once; nil for none.
func (s *site) takeUntried() *statefile.Blob {
	s.mu.Lock()
	defer s.mu.Unlock()
	program := s.untried
	s.untried = nil
	if s.helper != "" {
		return nil
	}
	return program
}

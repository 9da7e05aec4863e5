package deployer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A part file is compared block by block. There are at most maxBlocks, whose
// digests then fit into what a command may print.
const (
	resumeBlock = 1 << 20
	maxBlocks   = 4096
)

func blockOf(size int64) int64 {
	return resumeBlock * (1 + size/(resumeBlock*maxBlocks))
}

// resumeAt tells from where on a part file has to be continued: behind its
// leading blocks that have the right content. After a crash of the device there
// may be anything in it, also holes.
func (s *site) resumeAt(ctx context.Context, name string, size int64, b body) (int64, error) {
	block := blockOf(b.size)
	blocks := min(size, b.size) / block
	if blocks == 0 {
		return 0, nil
	}
	const script = `
i=0
while [ $i -lt "$3" ]; do
	dd if="$1" bs="$2" skip=$i count=1 2>/dev/null | sha256sum || exit
	i=$((i+1))
done
`
	out, err := s.runFor(ctx, s.o.AnswerTimeout+secondsFor(size), "sh", "-c", script, "hash a part file",
		s.blob(name), strconv.FormatInt(block, 10), strconv.FormatInt(blocks, 10))
	if err != nil {
		return 0, err
	}
	content, err := b.open()
	if err != nil {
		return 0, err
	}
	defer content.Close()
	same, err := leading(content, block, strings.Fields(strings.ReplaceAll(out, " -\n", "\n")))
	return same * block, err
}

// leading counts the blocks of content from the start on that have the given digests.
func leading(content io.Reader, block int64, sums []string) (int64, error) {
	for i, sum := range sums {
		hash := sha256.New()
		if _, err := io.CopyN(hash, content, block); err != nil {
			return 0, fmt.Errorf("compare a part file: %w", err)
		}
		if hex.EncodeToString(hash.Sum(nil)) != sum {
			return int64(i), nil
		}
	}
	return int64(len(sums)), nil
}

// openAt opens content behind its first bytes.
func (b body) openAt(offset int64) (io.ReadCloser, error) {
	content, err := b.open()
	if err != nil || offset == 0 {
		return content, err
	}
	if seeker, ok := content.(io.Seeker); ok {
		_, err = seeker.Seek(offset, io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, content, offset)
	}
	if err != nil {
		content.Close()
		return nil, err
	}
	return content, nil
}

package worker

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
)

// Sum prints the sha256 digests of files as sha256sum does: digest, two blanks, name. What
// is missing or cannot be read has no line. Go uses a processor's instructions for SHA-256,
// which sha256sum of most distributions does not: it takes a fifth of the time where there
// are some.
func Sum(w io.Writer, names []string) error {
	out := bufio.NewWriter(w)
	buffer := make([]byte, 256<<10)
	for _, name := range names {
		if digest, err := sumFile(name, buffer); err == nil {
			fmt.Fprintf(out, "%x  %s\n", digest, name)
		}
	}
	return out.Flush()
}

func sumFile(name string, buffer []byte) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	hash := sha256.New()
	// Without the file's own WriteTo, which takes small steps.
	_, err = io.CopyBuffer(hash, struct{ io.Reader }{f}, buffer)
	return hash.Sum(nil), err
}

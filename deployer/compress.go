package deployer

import (
	"bytes"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// form is how a file travels, as the suffix of its temporary name.
type form string

// The forms.
const (
	plain      form = ""
	compressed form = ".gz" // gzip (RFC 1952): every device can unpack it, also before anything is deployed
)

const (
	// leastCompressed and mostCompressed bound what is compressed, in memory.
	leastCompressed, mostCompressed = 16 << 10, 64 << 20
	// compressionRate is how many bytes per second are compressed here and
	// unpacked on a slow device, together.
	compressionRate = 25 << 20
	// worthwhile is the share of the bytes that has to be saved.
	worthwhile = 0.1
	// kept is how many compressed bytes are kept for other devices.
	kept = 128 << 20
)

// compressed gives a parcel's file compressed, where that is sooner there.
func (u *uploading) compressed(p parcel, content body) (body, bool) {
	if p.packed() || !u.gzip || content.size < leastCompressed || content.size > mostCompressed {
		return body{}, false
	}
	if p.part > 0 && p.found == plain || p.part == 0 && !u.isSlow(1) {
		return body{}, false // what was begun is continued
	}
	out := u.o.compressor.of(u.source, p.blobs[0])
	saved := 1 - float64(len(out))/float64(content.size)
	if out == nil || saved < worthwhile || p.part == 0 && !u.isSlow(saved) {
		return body{}, false
	}
	return bodyOf(out), true
}

// isSlow says whether the line needs longer for a share of the bytes than
// compressing all of them takes.
func (s *site) isSlow(share float64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slower(s.rate, share) || slower(s.uplink, share) // the rate is too high where a file has only filled buffers
}

func slower(rate, share float64) bool { return rate > 0 && share*compressionRate > rate }

// measured takes note of how fast the line is: the highest rate counts.
func (s *site) measured(bytes int64, took time.Duration) {
	if bytes < leastCompressed || took <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rate = max(s.rate, float64(bytes)/took.Seconds())
}

// scout is the parcel that goes ahead of the others to tell how fast the line is,
// where that decides whether others are compressed; "" is none.
func (u *uploading) scout(list []parcel) string {
	if !u.gzip || len(list) < 2 || u.isMeasured() || !slices.ContainsFunc(list[:min(len(list), scouted)], u.mayCompress) {
		return ""
	}
	for _, p := range slices.Backward(list) {
		if p.content() >= leastScout {
			return p.name
		}
	}
	return ""
}

const (
	scouted    = 8        // of the biggest parcels are looked at
	leastScout = 64 << 10 // bytes, to measure a line with
)

func (s *site) isMeasured() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rate > 0 || slower(s.uplink, 1)
}

// mayCompress says whether the start of a blob can be compressed.
func (u *uploading) mayCompress(p parcel) bool {
	if p.packed() || p.content() < leastCompressed || p.content() > mostCompressed {
		return false
	}
	r, err := u.source.Open(p.blobs[0].Digest)
	if err != nil {
		return false
	}
	defer r.Close()
	return startCompresses(r)
}

func startCompresses(r io.Reader) bool {
	start, _ := io.ReadAll(io.LimitReader(r, leastScout))
	out, err := gzipped(start)
	return err == nil && float64(len(out)) < (1-worthwhile)*float64(len(start))
}

// compressor compresses one blob at a time, since one processor works for all
// devices, and keeps what many of them get: engine and worker.
type compressor struct {
	mu   sync.Mutex
	done map[string][]byte // by digest
	size int
}

// of gives a blob compressed; nil when it cannot be read, which sending it will say.
func (c *compressor) of(source plan.BlobSource, blob statefile.Blob) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if out, ok := c.done[blob.Digest]; ok {
		return out
	}
	out, err := compressBlob(source, blob)
	if err != nil {
		return nil
	}
	if c.size+len(out) <= kept {
		c.size += len(out)
		c.done[blob.Digest] = out
	}
	return out
}

// compressBlob gives the same bytes for the same blob, so that a part of them can
// be continued; nil where its start already tells that it is of no use.
func compressBlob(source plan.BlobSource, blob statefile.Blob) ([]byte, error) {
	content, err := readBlob(source, blob)
	if err != nil || !startCompresses(bytes.NewReader(content)) {
		return nil, err
	}
	return gzipped(content)
}

func gzipped(content []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

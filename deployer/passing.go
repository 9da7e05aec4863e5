package deployer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/edgeplan/edgeplan/internal/gift"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// give brings what a device lacks of a passing from the giver into its place.
func (a *applying) give(ctx context.Context, g *passing) error {
	giver, taker := a.sites[g.from], a.sites[g.to]
	gives, err := giver.employed(ctx, a.programs(g.from))
	if err != nil {
		return giver.failed(err)
	}
	takes, err := taker.employed(ctx, a.programs(g.to))
	if err != nil {
		return err
	}
	there, err := taker.openBlobs(ctx, g.lacking)
	if err != nil {
		return err
	}
	h := &handing{giver: giver, taker: taker, gives: gives, takes: takes, secret: gift.NewSecret(), total: totalBytes(g.lacking)}
	for _, blob := range g.lacking {
		h.files = append(h.files, gift.File{Digest: blob.Digest, Size: blob.Size})
		h.parcels = append(h.parcels, taker.single(blob, there))
	}
	h.tell(fmt.Sprintf("getting %s, %s, from %s", count(len(h.files), "file"), byteCount(h.total), g.from), 0)
	if err := h.move(ctx); err != nil {
		return err
	}
	return h.settle(ctx)
}

// programs are the worker programs that a device may have: the new ones, and those of what is
// deployed there, which bring the new ones.
func (a *applying) programs(node string) []statefile.Blob {
	var list []statefile.Blob
	for _, state := range []*statefile.State{a.plan.Desired, a.plan.Prior} {
		for _, name := range sortedKeys(state.Models) {
			m := state.Models[name]
			if program, ok := plan.WorkerProgram(&m, node); ok && !slices.Contains(list, program) {
				list = append(list, program)
			}
		}
	}
	return list
}

// employed gives the first worker program of the device that is there, whole and runs.
func (s *site) employed(ctx context.Context, programs []statefile.Blob) (string, error) {
	for _, program := range programs {
		if s.helperProgram() != "" {
			break
		}
		sums, err := s.hash(ctx, s.blobs(), []string{program.Digest}, program.Size)
		if err != nil {
			return "", err
		}
		if sums[program.Digest] == program.Digest {
			s.markVerified(program.Digest)
			s.employ(ctx, program)
		}
	}
	if s.helperProgram() == "" {
		return "", errors.New("no worker program that is there is whole and runs")
	}
	return s.helperProgram(), nil
}

// handing is one passing on its way.
type handing struct {
	giver, taker *site
	gives, takes string // worker programs
	secret       []byte
	files        []gift.File
	parcels      []parcel // the same
	total        int64
}

func (h *handing) tell(message string, bytes int64) {
	h.taker.o.emit(Event{Node: h.taker.name, Kind: "upload", From: h.giver.name, Message: message, Bytes: bytes, Total: h.total})
}

// move runs both programs until the taker has said that all has come, as part files.
func (h *handing) move(ctx context.Context) error {
	node := h.taker.node
	taking, err := h.taker.talk(ctx, h.takes, "take", gift.TakeRequest{Host: node.PipelineAddress, Port: max(1, node.PipelinePort),
		Secret: h.secret, Prefix: h.taker.temporaryPrefix(), Files: h.files})
	if err != nil {
		return err
	}
	defer taking.end()
	where, err := taking.next(ctx, h.taker.o.AnswerTimeout)
	if err != nil {
		return err
	}
	if where.Port < 1 || where.Port > 65535 || len(where.Key) != sha256.Size {
		return fmt.Errorf("%s does not say where it takes anything", h.taker.name)
	}
	giving, err := h.giver.talk(ctx, h.gives, "give", gift.GiveRequest{Address: net.JoinHostPort(node.PipelineAddress, strconv.Itoa(where.Port)),
		Key: where.Key, Secret: h.secret, Files: h.files})
	if err != nil {
		return h.giver.failed(err)
	}
	defer giving.end()
	return h.watch(ctx, taking, giving)
}

// leastRate is how slowly something may come, in bytes per second: a device that lets others
// wait for each byte does not hold them up for ever.
const leastRate = 64 << 10

// watch tells of what has come, and ends when all has, either program ends, or it takes too long.
func (h *handing) watch(ctx context.Context, taking, giving *talk) error {
	limit := h.taker.o.AnswerTimeout + time.Duration(h.total/leastRate)*time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not all came within %s", limit))
	defer cancel()
	silence := time.NewTimer(h.taker.o.AnswerTimeout)
	defer silence.Stop()
	gave, come := giving.done, int64(0)
	for {
		select {
		case r, ok := <-taking.reports:
			if !ok || r.Done && r.Bytes == h.total {
				return h.ended(ok, taking, giving)
			}
			if r.Bytes > come && r.Bytes <= h.total {
				come = r.Bytes
				silence.Reset(h.taker.o.AnswerTimeout)
				h.tell("", come)
			}
		case <-gave:
			if giving.err != nil {
				return h.ended(false, taking, giving)
			}
			gave = nil
		case <-silence.C:
			return fmt.Errorf("nothing came for %s", h.taker.o.AnswerTimeout)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ended tells why a passing did not come: what the one says is often because of the other.
func (h *handing) ended(well bool, taking, giving *talk) error {
	if well {
		h.tell("", h.total)
		return nil
	}
	soon, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := errors.Join(giving.why(soon), taking.why(soon)); err != nil {
		return err
	}
	return errors.New("it ended before all had come")
}

// settle hashes and flushes what came and puts it in its place, as uploads are. What is not what
// it should be is told of and removed; the rest stays.
func (h *handing) settle(ctx context.Context) error {
	u := &uploading{site: h.taker, settling: make(chan struct{}, settleAtOnce)}
	byName, names := map[string]parcel{}, []string{}
	for _, p := range h.parcels {
		byName[p.name], names = p, append(names, p.name)
	}
	return each(names, settleAtOnce, func(name string) error {
		p := byName[name]
		if err := u.settle(ctx, p, plain); err != nil {
			return errors.Join(fmt.Errorf("what %s gave is not right: %w", h.giver.name, err), u.remove(ctx, u.blob(name)))
		}
		return u.place(ctx, p)
	})
}

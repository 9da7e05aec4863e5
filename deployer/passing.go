package deployer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/edgeplan/edgeplan/internal/gift"
	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
	"github.com/edgeplan/edgeplan/worker"
)

// give brings what a device lacks of a passing from the giver into its place. Where there is no
// worker program yet that comes first, and takes the rest.
func (a *applying) give(ctx context.Context, g *passing) error {
	giver, taker := a.sites[g.from], a.sites[g.to]
	gives, err := giver.employed(ctx, a.programs(g.from))
	if err != nil {
		return giver.failed(err)
	}
	takes, err := taker.employed(ctx, a.programs(g.to))
	rest := slices.Clone(g.lacking)
	at := slices.IndexFunc(rest, func(b statefile.Blob) bool { return b.Name == worker.ProgramFile })
	if errors.Is(err, errNoProgram) && at >= 0 {
		giver.employ(ctx, rest[at]) // which gives nothing but itself to a shell
		gives = giver.helperProgram()
		if err := newHanding(giver, taker, gives, "", rest[at]).bring(ctx, (*handing).fetch); err != nil {
			return err
		}
		rest = slices.Delete(rest, at, at+1)
		takes, err = taker.employed(ctx, nil)
	}
	if err != nil {
		return taker.failed(err)
	}
	if len(rest) == 0 {
		return nil
	}
	return newHanding(giver, taker, gives, takes, rest...).bring(ctx, (*handing).move)
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

var errNoProgram = errors.New("no worker program that is there is whole and runs")

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
		return "", errNoProgram
	}
	return s.helperProgram(), nil
}

// handing is one passing on its way.
type handing struct {
	giver, taker *site
	gives, takes string // worker programs
	secret       []byte
	blobs        []statefile.Blob
	files        []gift.File // the same
	total        int64
}

func newHanding(giver, taker *site, gives, takes string, blobs ...statefile.Blob) *handing {
	h := &handing{giver: giver, taker: taker, gives: gives, takes: takes, blobs: blobs, secret: gift.NewSecret(), total: totalBytes(blobs)}
	for _, blob := range blobs {
		h.files = append(h.files, gift.File{Digest: blob.Digest, Size: blob.Size})
	}
	return h
}

// bring moves blobs in some way, and puts them in their places.
func (h *handing) bring(ctx context.Context, move func(*handing, context.Context) error) error {
	there, err := h.taker.openBlobs(ctx, h.blobs)
	if err != nil {
		return err
	}
	h.tell(fmt.Sprintf("getting %s, %s, from %s", count(len(h.blobs), "file"), byteCount(h.total), h.giver.name), 0)
	if err := move(h, ctx); err != nil {
		return err
	}
	return h.settle(ctx, there)
}

func (h *handing) tell(message string, bytes int64) {
	h.taker.o.emit(Event{Node: h.taker.name, Kind: "upload", From: h.giver.name, Message: message, Bytes: bytes, Total: h.total})
}

// move runs both programs until the taker has said that all has come, as part files.
func (h *handing) move(ctx context.Context) error {
	node := h.taker.node
	taking, err := h.taker.ask(ctx, h.takes, "take", gift.TakeRequest{Host: node.PipelineAddress, Port: max(1, node.PipelinePort),
		Secret: h.secret, Prefix: h.taker.partPrefix(), Files: h.files})
	if err != nil {
		return err
	}
	defer taking.stop()
	where, err := taking.next(ctx, h.taker.o.passSilence)
	if err != nil {
		return err
	}
	if where.Port < 1 || where.Port > 65535 || len(where.Key) != sha256.Size {
		return fmt.Errorf("%s does not say where it takes anything", h.taker.name)
	}
	giving, err := h.giver.ask(ctx, h.gives, "give", gift.GiveRequest{Address: net.JoinHostPort(node.PipelineAddress, strconv.Itoa(where.Port)),
		Key: where.Key, Secret: h.secret, Files: h.files})
	if err != nil {
		return h.giver.failed(err)
	}
	defer giving.end()
	return h.watch(ctx, taking, giving)
}

// fetch has the giver give its own program to a shell.
func (h *handing) fetch(ctx context.Context) error {
	node := h.giver.node
	giving, err := h.giver.ask(ctx, h.gives, "give", gift.GiveRequest{Secret: h.secret, Files: h.files,
		Itself: &gift.Listen{Host: node.PipelineAddress, Port: max(1, node.PipelinePort)}})
	if err != nil {
		return h.giver.failed(err)
	}
	defer giving.end()
	where, err := giving.next(ctx, h.giver.o.passSilence)
	if err != nil {
		return err
	}
	if where.Port < 1 || where.Port > 65535 {
		return fmt.Errorf("%s does not say where it gives anything", h.giver.name)
	}
	taking, err := h.taker.talk(ctx, []byte(hex.EncodeToString(h.secret)), "bash", "-c", gift.Fetch, "fetch",
		h.taker.blobs(), h.taker.partName(h.files[0].Digest), node.PipelineAddress, strconv.Itoa(where.Port), strconv.FormatInt(h.total, 10))
	if err != nil {
		return err
	}
	defer taking.stop()
	return h.watch(ctx, taking, giving)
}

// watch tells of what has come, and ends when all has, either program ends, or it takes too long.
func (h *handing) watch(ctx context.Context, taking, giving *talk) error {
	quiet := h.taker.o.passSilence
	limit := quiet + time.Duration(h.total/plan.LeastRate)*time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not all came within %s", limit))
	defer cancel()
	silence := time.NewTimer(quiet)
	defer silence.Stop()
	gave, come := giving.done, int64(0)
	for {
		select {
		case r, ok := <-taking.reports:
			if !ok {
				return ended(taking, giving)
			}
			if r.Bytes > come && r.Bytes <= h.total {
				come = r.Bytes
				silence.Reset(quiet)
				h.tell("", come)
			}
			if r.Done && come == h.total {
				return nil
			}
		case <-gave:
			if giving.err != nil {
				return ended(taking, giving)
			}
			gave = nil
		case <-silence.C:
			return fmt.Errorf("nothing came for %s", quiet)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ended tells why a passing did not come: what the one says is often because of the other.
func ended(taking, giving *talk) error {
	soon, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := errors.Join(giving.why(soon), taking.why(soon)); err != nil {
		return err
	}
	return errors.New("it ended before all had come")
}

// settle hashes and flushes what came and puts it in its place, as uploads are. What is not what
// it should be is told of and removed; the rest stays.
func (h *handing) settle(ctx context.Context, there found) error {
	u := &uploading{site: h.taker, settling: make(chan struct{}, settleAtOnce)}
	byName, names := map[string]parcel{}, []string{}
	for _, blob := range h.blobs {
		p := h.taker.single(blob, there)
		byName[p.name], names = p, append(names, p.name)
	}
	return each(names, settleAtOnce, func(name string) error {
		p := byName[name]
		sums, err := u.hashed(ctx, p, plain)
		if err == nil {
			err = compare(p, sums)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("what %s gave cannot be used: %w", h.giver.name, err), u.remove(ctx, u.blob(name)))
		}
		return u.place(ctx, p)
	})
}

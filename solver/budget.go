package solver

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// budget counts work and notices when the search has to stop. Work decides how
// far every search goes, so results do not depend on the speed of the machine
// unless the context ends.
type budget struct {
	ctx   context.Context
	limit time.Duration
	most  int64 // work to stop at; 0 is none
	work  int64
	look  int64 // when to look at the context again
	over  bool
}

const (
	lookEvery = 1 << 15
	workUnit  = 64 // small steps in one unit of work
)

// spend counts work; false means stop.
func (b *budget) spend(work int) bool {
	b.work += int64(work)
	if b.work >= b.look && !b.over {
		b.look = b.work + lookEvery
		b.over = b.ctx.Err() != nil || b.spent()
	}
	return !b.over
}

// spent says that the work is done that the search may do.
func (b *budget) spent() bool { return b.most > 0 && b.work >= b.most }

// reason is why the search stopped early.
func (b *budget) reason() string {
	if b.spent() && b.ctx.Err() == nil {
		return fmt.Sprintf("stopped at the work limit of %d; a larger one may find or prove more", b.most)
	}
	if b.limit > 0 && errors.Is(context.Cause(b.ctx), errTimeLimit) {
		return fmt.Sprintf("stopped at the time limit of %v; a longer one may find or prove more", b.limit)
	}
	if errors.Is(b.ctx.Err(), context.DeadlineExceeded) {
		return "stopped at the deadline of the caller"
	}
	return "stopped: cancelled"
}

var errTimeLimit = errors.New("time limit")

package worker

import (
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/edgeplan/edgeplan/internal/oippb"
)

// What a neighbour has taken but not handed on is lost when the neighbour dies
// or falls silent. So a stage tells those who send to it how far it is, and they
// can answer for the rest, instead of leaving it to the gateway's timeout.

const (
	// stoppingTrailer ends the stream of a worker that finishes what it has taken.
	stoppingTrailer = "edgeplan-stopping"
	// progressEvery is the least time between two words about progress.
	progressEvery = 100 * time.Millisecond
)

// progress holds the id of the last message that a stage has handed on. As both
// streams and stages keep the order, it stands for all before it on the stream.
type progress chan string

func newProgress() progress { return make(progress, 1) }

// note replaces the id; one caller at a time.
func (p progress) note(id string) {
	select {
	case <-p:
	default:
	}
	p <- id
}

// answerMessage tells the sender of a request that it has failed.
func answerMessage(id string, err error) *oippb.ModelStreamInferResponse {
	s := status.Convert(err)
	return &oippb.ModelStreamInferResponse{
		ErrorMessage: s.Message(),
		InferResponse: &oippb.ModelInferResponse{
			Id:         id,
			Parameters: map[string]*oippb.InferParameter{errorCodeParameter: intParameter(int64(s.Code()))},
		},
	}
}

func parseAnswer(r *oippb.ModelStreamInferResponse) error {
	return status.Error(errorCode(r.GetInferResponse().GetParameters()), r.GetErrorMessage())
}

// progressMessage is an answer without an error.
func progressMessage(id string) *oippb.ModelStreamInferResponse {
	return &oippb.ModelStreamInferResponse{InferResponse: &oippb.ModelInferResponse{Id: id}}
}

// unanswered are the messages of one stream that the neighbour has not handed on
// yet, in the order in which they were sent.
type unanswered struct {
	ids     []string
	sending string // still on its way out, and sent again if that fails
}

func (u *unanswered) begin(id string) { u.ids, u.sending = append(u.ids, id), id }

// end tells how the sending that begin announced went.
func (u *unanswered) end(sent bool) {
	if !sent {
		u.failed(u.sending)
	}
	u.sending = ""
}

// passed drops a message and all before it.
func (u *unanswered) passed(id string) {
	u.ids = slices.Delete(u.ids, 0, slices.Index(u.ids, id)+1)
}

// failed drops one message.
func (u *unanswered) failed(id string) {
	u.ids = slices.DeleteFunc(u.ids, func(other string) bool { return other == id })
}

// lost gives the messages that went down with the stream.
func (u *unanswered) lost() []string {
	u.failed(u.sending)
	ids := u.ids
	u.ids = nil
	return ids
}

// orderly tells whether a stream was ended by a worker that stops in order.
func orderly(stream grpc.ClientStream) bool {
	return stream != nil && len(stream.Trailer().Get(stoppingTrailer)) > 0
}

package worker

import (
	"errors"
	"io"

	"google.golang.org/grpc"

	"github.com/edgeplan/edgeplan/internal/oippb"
)

// ModelStreamInfer answers the requests of a stream in their order, with several
// under way at once. As with Triton, a request that fails is answered by its error
// and the stream goes on; the answer has its id, and the status code as a parameter.
// Who is too far ahead of the answers is not read from.
func (c *control) ModelStreamInfer(stream grpc.BidiStreamingServer[oippb.ModelInferRequest, oippb.ModelStreamInferResponse]) error {
	answers := make(chan (<-chan *oippb.ModelStreamInferResponse), c.ahead)
	ended := make(chan error, 1)
	go func() {
		defer close(answers)
		ended <- c.receive(stream, answers)
	}()
	for answer := range answers {
		if err := stream.Send(<-answer); err != nil {
			return err // the stream's context ends, and receive with it
		}
	}
	return <-ended
}

// receive starts what comes in until the client has said all, and puts the places of
// the answers in order.
func (c *control) receive(stream grpc.BidiStreamingServer[oippb.ModelInferRequest, oippb.ModelStreamInferResponse], answers chan<- (<-chan *oippb.ModelStreamInferResponse)) error {
	ctx := stream.Context()
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		answer := make(chan *oippb.ModelStreamInferResponse, 1)
		select {
		case answers <- answer:
		case <-ctx.Done():
			return ctx.Err()
		}
		held, leave, err := c.hold(ctx, 0) // the next message stays where it is meanwhile
		if err != nil {
			answer <- answerMessage(request.GetId(), err)
			continue
		}
		go func() {
			response, err := c.ModelInfer(held, request)
			leave()
			if err != nil {
				answer <- answerMessage(request.GetId(), err)
				return
			}
			answer <- &oippb.ModelStreamInferResponse{InferResponse: response}
		}()
	}
}

package simulation

// fifo is a queue. What was taken leaves its place at once.
type fifo[T any] struct {
	items []T
	first int
}

func (q *fifo[T]) len() int { return len(q.items) - q.first }

func (q *fifo[T]) push(x T) { q.items = append(q.items, x) }

func (q *fifo[T]) front() T { return q.items[q.first] }

func (q *fifo[T]) pop() T {
	var none T
	x := q.items[q.first]
	q.items[q.first] = none
	q.first++
	if q.first > len(q.items)/2 {
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first = q.items[:n], 0
	}
	return x
}

// take empties the queue.
func (q *fifo[T]) take() []T {
	all := q.items[q.first:]
	q.items, q.first = nil, 0
	return all
}

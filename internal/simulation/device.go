package simulation

// device is what runs its jobs, and whether it is there.
type device struct {
	server
	Device
	away bool
}

// work is the processor time of a message that is sent or received; a device that does not
// exist, the gateway of a model without one, has none.
func (d *device) work(bytes int64) float64 {
	if d == nil {
		return 0
	}
	return d.MessageSeconds + d.ByteSeconds*float64(bytes)
}

// server runs jobs: a sharing, or a processor.
type server interface {
	add(seconds float64, to target, kind kind, m *message, gen uint32)
	cancel(to target)
	reset()
	used(seconds float64) float64
}

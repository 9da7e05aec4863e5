package simulation

// device is a processor, and whether it is there.
type device struct {
	*sharing
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

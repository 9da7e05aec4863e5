package simulation

// outage carries out a Loss.
type outage struct {
	Loss
	run *run
}

func (o *outage) fire(k kind, _ *message, _ uint32) {
	device := o.run.devices[o.Device]
	device.away = k == deviceLost
	if device.away {
		device.cancel(nil)
	}
	for _, line := range o.run.lines {
		if device.away {
			line.lose(device, o.Loss.Seconds)
		} else {
			line.comeBack(device)
		}
	}
}

// lose takes from a pipeline what it had on a device.
func (p *pipeline) lose(d *device, seconds float64) {
	if p.gateway.device == d {
		p.gateway.lose()
	}
	for i, h := range p.hops {
		var held []*message
		if i < len(p.stages) && p.stages[i].device == d {
			held = p.stages[i].lose()
		}
		if h.from == d {
			h.loseSender()
		}
		if h.to == d {
			h.loseReceiver(held, seconds)
		}
	}
}

func (p *pipeline) comeBack(d *device) {
	for _, h := range p.hops {
		if h.from == d || h.to == d {
			h.comeBack()
		}
	}
	if p.gateway.device == d {
		p.gateway.comeBack()
	}
}

package solver

import "slices"

// impossible says whether prices prove that no placements are within the threshold.
// Where they do not, walks that come back to no node and share well may be
// placements, and are handed to try.
func (p *jointPricing) impossible(b *budget, try func([][]stop)) bool {
	for round := range jointRounds {
		paid, ways, work := p.walks()
		if paid > p.all() {
			return true
		}
		if !b.spend(work / 8) {
			return false
		}
		if share := float64(paid) / float64(p.all()); share > p.most {
			p.most, p.best = share, slices.Clone(p.prices)
		}
		if p.use(ways) {
			try(ways)
			return false
		}
		p.adjust(int64(4 << (4 * round / jointRounds)))
	}
	return false
}

// walks are the cheapest walks of all chains, and what they pay together. Without a
// walk for one of them it is more than there is.
func (p *jointPricing) walks() (paid int64, ways [][]stop, work int) {
	for _, t := range p.chains {
		x, first, w := t.walk(p.prices)
		work += w
		if x >= never {
			return never, nil, work
		}
		paid += x
		ways = append(ways, t.way(first))
	}
	return paid, ways, work
}

// use counts what the walks use, and says whether there is enough of everything.
func (p *jointPricing) use(ways [][]stop) bool {
	clear(p.used)
	for k, t := range p.chains {
		t.add(ways[k], p.used)
	}
	return !slices.ContainsFunc(p.active, func(i int) bool { return p.used[i] > useParts })
}

// all is what everything costs together.
func (p *jointPricing) all() (sum int64) {
	for _, i := range p.active {
		sum += p.prices[i]
	}
	return sum * useParts
}

// adjust raises the prices of what was used too much and lowers the others, and
// scales them back. No sum is rounded, so every machine has the same prices.
func (p *jointPricing) adjust(step int64) {
	sum := int64(0)
	for _, i := range p.active {
		over := min(p.used[i]-useParts, 4*useParts)
		x := p.prices[i]
		p.prices[i] = max(1, x+x/step*(over>>10)/(useParts>>10))
		sum += p.prices[i]
	}
	for _, i := range p.active {
		p.prices[i] = max(1, int64(float64(p.prices[i])*(float64(jointTotal)/float64(sum))))
	}
}

package measurement

// Merge adds newer measurements to older ones: of the same node, the same direction
// between two nodes, or the same range of a model on a node the newer one counts, and
// all else stays. What the newer measurement of a node or a range left out, as a probe
// without models leaves out compute, keeps its older value.
func Merge(older, newer *Measurements) *Measurements {
	return sorted(&Measurements{
		Nodes:    merged(older.Nodes, newer.Nodes, (*Node).keep),
		Links:    merged(older.Links, newer.Links, func(*Link, *Link) {}),
		Profiles: merged(older.Profiles, newer.Profiles, (*Profile).keep),
	})
}

// merged takes the later of entries with one key; keep completes it from the earlier.
func merged[T any, P entry[T]](older, newer []T, keep func(later, earlier P)) []T {
	var all []T
	at := map[any]int{}
	for _, list := range [][]T{older, newer} {
		for _, e := range list {
			key := P(&e).key()
			i, known := at[key]
			if !known {
				at[key] = len(all)
				all = append(all, e)
				continue
			}
			keep(P(&e), P(&all[i]))
			all[i] = e
		}
	}
	return all
}

func (n *Node) keep(earlier *Node) {
	orEarlier(&n.ComputeFLOPPerSecond, earlier.ComputeFLOPPerSecond)
	orEarlier(&n.CPUSecondsPerByte, earlier.CPUSecondsPerByte)
	orEarlier(&n.CPUSecondsPerRequest, earlier.CPUSecondsPerRequest)
	orEarlier(&n.EngineBaseBytes, earlier.EngineBaseBytes)
	orEarlier(&n.EngineLoadSeconds, earlier.EngineLoadSeconds)
}

func (p *Profile) keep(earlier *Profile) { orEarlier(&p.PeakMemoryBytes, earlier.PeakMemoryBytes) }

func orEarlier[T int64 | float64](to *T, earlier T) {
	if *to == 0 {
		*to = earlier
	}
}

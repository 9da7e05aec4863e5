// Package probe measures devices and the links between them, for `edgeplan probe`: the
// part on the device (Serve), what it says to the operator over standard input and
// output (Request, Response), the statistics, and the order in which links are tested.
// It knows nothing of configurations, SSH or models.
package probe

package main

import "testing"

// A pipeline that has run for long still tells whole numbers.
func TestStatusOfManyRequests(t *testing.T) {
	row := workerStatus{Node: "node.a", Stages: []int{0}, Ready: true, Requests: 12345678, Failures: 1e6}.row()
	if row[3] != "12345678" || row[4] != "1000000" {
		t.Errorf("%q requests, %q failed", row[3], row[4])
	}
}

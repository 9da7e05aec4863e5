package main_test

import (
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/edgeplan/edgeplan/internal/servertest"
)

// startStates is `states http` or `states s3`: a server for states, in the
// environment as STATES (an address) or S3 (an endpoint) with AWS_ credentials.
func startStates(ts *testscript.TestScript, _ bool, args []string) {
	t := ts.Value(devicesKey{}).(*devices).t
	switch args[0] {
	case "http":
		ts.Setenv("STATES", servertest.StartProtocol(t).URL)
	case "s3":
		s := servertest.StartS3(t)
		ts.Setenv("S3", s.Endpoint)
		ts.Setenv("AWS_ACCESS_KEY_ID", s.AccessKey)
		ts.Setenv("AWS_SECRET_ACCESS_KEY", s.SecretKey)
	default:
		ts.Fatalf("states http or states s3, not %q", args[0])
	}
}

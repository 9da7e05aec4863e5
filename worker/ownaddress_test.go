package worker

import (
	"errors"
	"testing"
)

// An address that a device had at a start and has no more is told of, also after a stop; one that it
// never had may be a router's, and a name is looked up by others.
func TestLostAddress(t *testing.T) {
	const foreign = "192.0.2.7" // of no device (RFC 5737)
	for _, test := range []struct{ before, now, want string }{
		{"127.0.0.1", "127.0.0.1", ""},
		{"127.0.0.1", foreign, foreign},
		{foreign, foreign, ""},
		{"pi.example", "pi.example", ""},
	} {
		c := newCluster(t, layout{stages: 1})
		dir, m := c.workers[0].dir, c.manifests[0]
		listen := func(host string) {
			m.Listen = host + ":7433"
			c.write(0, ManifestFile, m)
		}
		listen(test.before)
		if err := errors.Join(writeMark(dir, m.Listen, Cron), forgetMark(dir)); err != nil {
			t.Fatal(err)
		}
		listen(test.now)
		status, err := ReadStatus(dir)
		if err != nil || status.LostAddress != test.want {
			t.Errorf("%s, then %s: lost %q, want %q; %v", test.before, test.now, status.LostAddress, test.want, err)
		}
		if err := writeMark(dir, m.Listen, Cron); err != nil {
			t.Fatal(err)
		}
		if status, err := ReadStatus(dir); err != nil || status.LostAddress != test.want {
			t.Errorf("%s, then %s, started again: lost %q, want %q; %v", test.before, test.now, status.LostAddress, test.want, err)
		}
	}
}

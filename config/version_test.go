package config

import "testing"

func TestConstraints(t *testing.T) {
	tests := []struct {
		constraint, version string
		want                bool
	}{
		{">= 0.1", "0.1.0", true},
		{">= 0.1", "0.1.0-dev", true},
		{">= 0.2", "0.1.9", false},
		{"> 0.1.0", "0.1.0", false},
		{"0.1.0", "0.1.0", true},
		{"= 0.1", "0.1.1", false},
		{"!= 0.1.0", "0.1.0", false},
		{"< 1, >= 0.1", "1.0.0", false},
		{"<= 1", "1.0.0", true},
		{"~> 1.2", "1.9.0", true},
		{"~> 1.2", "2.0.0", false},
		{"~> 1.2", "1.1.9", false},
		{"~> 1.2.3", "1.2.9", true},
		{"~> 1.2.3", "1.3.0", false},
		{"~> 1", "1.9.9", true},
		{"~> 1", "2.0.0", false},
	}
	for _, test := range tests {
		wanted, err := parseConstraints(test.constraint)
		if err != nil {
			t.Errorf("%q: %v", test.constraint, err)
			continue
		}
		v, ok := parseVersion(test.version)
		if !ok || wanted.allow(v) != test.want {
			t.Errorf("%q allows %q: want %v", test.constraint, test.version, test.want)
		}
	}
	for _, text := range []string{"", "newest", ">= ", "=> 1", "1.2.3.4", ">= 1,"} {
		if _, err := parseConstraints(text); err == nil {
			t.Errorf("%q is accepted as a constraint", text)
		}
	}
	if _, ok := parseVersion("(devel)"); ok {
		t.Error("(devel) is a version")
	}
}

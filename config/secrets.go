package config

import (
	"slices"

	"github.com/zclconf/go-cty/cty"
)

// Secrets are the texts in the values of sensitive variables, for keeping them
// out of logs.
func (c *Config) Secrets() []string { return c.secrets }

// Sensitive says whether the value of a variable is not to be shown.
func (c *Config) Sensitive(variable string) bool { return c.sensitive[variable] }

// keepSecrets remembers the texts of sensitive values.
func (l *loader) keepSecrets(values map[address]cty.Value) {
	l.config.sensitive = map[string]bool{}
	for address, value := range values {
		if unmarked, marks := value.UnmarkDeep(); len(marks) > 0 {
			l.config.sensitive[address.name] = true
			l.config.secrets = append(l.config.secrets, textsOf(unmarked)...)
		}
	}
	slices.Sort(l.config.secrets)
	l.config.secrets = slices.Compact(l.config.secrets)
}

// textsOf are the strings anywhere in a value.
func textsOf(value cty.Value) []string {
	var texts []string
	_ = cty.Walk(value, func(_ cty.Path, v cty.Value) (bool, error) {
		if v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
			texts = append(texts, v.AsString())
		}
		return true, nil
	})
	return texts
}

package config

import (
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/edgeplan/edgeplan/internal/quantity"
)

const defaultReplanThreshold = 0.05

// How many releases of a model devices keep, the deployed one among them.
const (
	defaultKeepReleases = 2
	maxKeepReleases     = 100
)

// platforms that an engine may be given for: devices, and operators' machines.
func platforms() []string {
	return append(architectures(), "darwin/amd64", "darwin/arm64")
}

// settings reads the edgeplan block.
func (f *frame) settings(d *declaration) {
	r := f.reader(d, instance{address: d.String()}, f.context(d.refs))
	s := &f.config.Settings
	wanted := r.text("required_version", "")
	r.checkVersion(wanted)
	if f.parent != nil {
		r.refuseInModule("replan_threshold")
		r.refuseInModule("keep_releases")
		r.refuseInModule("engines")
		r.refuseInModule("uplink")
		return
	}
	s.RequiredVersion = wanted
	if share, a, ok := amount(r, "replan_threshold", quantity.ParsePercent); ok {
		s.ReplanThreshold = share
		if share >= 1 {
			r.bad("replan_threshold", a, invalidQuantity, "replan_threshold must be less than 100%%: no placement saves all of the time. Write it as \"5%%\".")
		}
	}
	s.KeepReleases = int(r.whole("keep_releases", 1, maxKeepReleases, defaultKeepReleases))
	s.Engines = r.engines()
	s.Uplink, _ = positive(r, "uplink", quantity.ParseBandwidth)
}

// refuseInModule reports a setting that only the whole configuration can have.
func (r *reader) refuseInModule(name string) {
	if attr, ok := r.content.Attributes[name]; ok {
		r.fault(&attr.NameRange, onlyInRoot, "%s is a setting of the whole configuration. Move it to the edgeplan block of the configuration that uses the module.", name)
	}
}

// checkVersion compares required_version with the version that runs.
func (r *reader) checkVersion(text string) {
	if text == "" {
		return
	}
	a := r.argument("required_version")
	wanted, err := parseConstraints(text)
	if err != nil {
		r.bad("required_version", a, invalidValue, "required_version %v. Write a constraint as \">= 0.1\" or \"~> 1.2\"; several are separated by commas.", err)
		return
	}
	running, ok := parseVersion(r.version)
	if ok && !wanted.allow(running) {
		r.bad("required_version", a, "Unsupported edgeplan version", "This is edgeplan %s, and the configuration asks for %q. Install a version that fits, or change required_version.", r.version, text)
	}
}

// engines reads the paths of ONNX Runtime libraries by platform.
func (r *reader) engines() map[string]string {
	const fix = `engines = { "linux/arm64" = "lib/libonnxruntime.so" }`
	a, ok := r.get("engines", cty.DynamicPseudoType)
	if !ok {
		return nil
	}
	if ty := a.value.Type(); !ty.IsObjectType() && !ty.IsMapType() {
		r.bad("engines", a, wrongType, "engines must be paths by platform, not a value of type %s. Write %s.", ty.FriendlyName(), fix)
		return nil
	}
	engines := map[string]string{}
	for it := a.value.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if path, ok := r.engine(key.AsString(), value, a); ok {
			engines[key.AsString()] = path
		}
	}
	return engines
}

func (r *reader) engine(platform string, value cty.Value, a argument) (string, bool) {
	if !slices.Contains(platforms(), platform) {
		r.bad("engines", a, invalidValue, "engines names the platform %q. %s", platform, didYouMean(platform, platforms(), "platform"))
		return "", false
	}
	text, err := convertTo(value, cty.String)
	if err != nil || text.IsNull() {
		r.bad("engines", a, wrongType, "The engine for %s must be a path in quotes.", platform)
		return "", false
	}
	path, err := expandPath(r.config.Dir, text.AsString())
	if err != nil {
		r.bad("engines", a, invalidValue, "The path of the engine for %s %v.", platform, err)
		return "", false
	}
	if _, err := statRegular(path); err != nil {
		r.bad("engines", a, "Engine cannot be read", "The engine for %s: %s. Correct the path, or remove it to let init find one.", platform, strings.TrimSuffix(err.Error(), "."))
		return "", false
	}
	return path, true
}

package config

import (
	"maps"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	ctyyaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions of the language, under the names that Terraform gives them. Paths
// are relative to dir.
func functions(dir string) map[string]function.Function {
	all := map[string]function.Function{
		"abs":             stdlib.AbsoluteFunc,
		"can":             tryfunc.CanFunc,
		"ceil":            stdlib.CeilFunc,
		"chomp":           stdlib.ChompFunc,
		"chunklist":       stdlib.ChunklistFunc,
		"coalescelist":    stdlib.CoalesceListFunc,
		"compact":         stdlib.CompactFunc,
		"concat":          stdlib.ConcatFunc,
		"contains":        stdlib.ContainsFunc,
		"distinct":        stdlib.DistinctFunc,
		"element":         stdlib.ElementFunc,
		"flatten":         stdlib.FlattenFunc,
		"floor":           stdlib.FloorFunc,
		"format":          stdlib.FormatFunc,
		"formatdate":      stdlib.FormatDateFunc,
		"formatlist":      stdlib.FormatListFunc,
		"indent":          stdlib.IndentFunc,
		"join":            stdlib.JoinFunc,
		"jsondecode":      stdlib.JSONDecodeFunc,
		"jsonencode":      stdlib.JSONEncodeFunc,
		"keys":            stdlib.KeysFunc,
		"log":             stdlib.LogFunc,
		"lookup":          stdlib.LookupFunc,
		"lower":           stdlib.LowerFunc,
		"max":             stdlib.MaxFunc,
		"merge":           stdlib.MergeFunc,
		"min":             stdlib.MinFunc,
		"parseint":        stdlib.ParseIntFunc,
		"pow":             stdlib.PowFunc,
		"range":           stdlib.RangeFunc,
		"regex":           stdlib.RegexFunc,
		"regexall":        stdlib.RegexAllFunc,
		"reverse":         stdlib.ReverseListFunc,
		"setintersection": stdlib.SetIntersectionFunc,
		"setproduct":      stdlib.SetProductFunc,
		"setsubtract":     stdlib.SetSubtractFunc,
		"setunion":        stdlib.SetUnionFunc,
		"signum":          stdlib.SignumFunc,
		"slice":           stdlib.SliceFunc,
		"sort":            stdlib.SortFunc,
		"split":           stdlib.SplitFunc,
		"strrev":          stdlib.ReverseFunc,
		"substr":          stdlib.SubstrFunc,
		"timeadd":         stdlib.TimeAddFunc,
		"title":           stdlib.TitleFunc,
		"tobool":          stdlib.MakeToFunc(cty.Bool),
		"tolist":          stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
		"tomap":           stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),
		"tonumber":        stdlib.MakeToFunc(cty.Number),
		"toset":           stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),
		"tostring":        stdlib.MakeToFunc(cty.String),
		"trim":            stdlib.TrimFunc,
		"trimprefix":      stdlib.TrimPrefixFunc,
		"trimspace":       stdlib.TrimSpaceFunc,
		"trimsuffix":      stdlib.TrimSuffixFunc,
		"try":             tryfunc.TryFunc,
		"upper":           stdlib.UpperFunc,
		"values":          stdlib.ValuesFunc,
		"yamldecode":      ctyyaml.YAMLDecodeFunc,
		"yamlencode":      ctyyaml.YAMLEncodeFunc,
		"zipmap":          stdlib.ZipmapFunc,
	}
	maps.Copy(all, ownFunctions(dir))
	maps.Copy(all, encodings(dir))
	all["templatefile"] = templateFileFunction(dir, maps.Clone(all))
	return all
}

// ownFunctions are those that cty does not have, or has with another meaning.
func ownFunctions(dir string) map[string]function.Function {
	return map[string]function.Function{
		"abspath":      pathFunction(func(path string) (string, error) { return expandPath(dir, path) }),
		"alltrue":      boolsFunction(true),
		"anytrue":      boolsFunction(false),
		"basename":     baseFunction(),
		"cidrcontains": cidrContainsFunction(),
		"cidrhost":     cidrHostFunction(),
		"cidrnetmask":  cidrNetmaskFunction(),
		"cidrsubnet":   cidrSubnetFunction(),
		"coalesce":     coalesceFunction(),
		"csvdecode":    csvFunction(),
		"dirname":      dirFunction(),
		"endswith":     textTest(hasSuffix),
		"file":         fileFunction(dir),
		"fileexists":   fileExistsFunction(dir),
		"fileset":      fileSetFunction(dir),
		"index":        indexFunction(),
		"issensitive":  isSensitiveFunction(),
		"length":       lengthFunction(),
		"matchkeys":    matchKeysFunction(),
		"nonsensitive": sensitiveFunction(false),
		"one":          oneFunction(),
		"pathexpand":   pathFunction(expandHome),
		"replace":      replaceFunction(),
		"sensitive":    sensitiveFunction(true),
		"startswith":   textTest(hasPrefix),
		"strcontains":  textTest(contains),
		"sum":          sumFunction(),
		"transpose":    transposeFunction(),
	}
}

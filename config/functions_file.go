package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// maxDataBytes bounds what file() reads.
const maxDataBytes = 256 << 20

func pathParameter() []function.Parameter {
	return []function.Parameter{{Name: "path", Type: cty.String}}
}

// pathFunction maps a path to a path.
func pathFunction(f func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: pathParameter(),
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path, err := f(args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgErrorf(0, "%q %s", args[0].AsString(), err)
			}
			return cty.StringVal(path), nil
		},
	})
}

func baseFunction() function.Function {
	return pathFunction(func(path string) (string, error) { return filepath.Base(path), nil })
}

func dirFunction() function.Function {
	return pathFunction(func(path string) (string, error) { return filepath.Dir(path), nil })
}

// fileFunction reads a text file relative to the configuration folder.
func fileFunction(dir string) function.Function {
	return function.New(&function.Spec{
		Params: pathParameter(),
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path, err := expandPath(dir, args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgErrorf(0, "the path %s", err)
			}
			content, err := readRegular(path, maxDataBytes)
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgErrorf(0, "%s; paths are relative to the configuration folder", err)
			}
			if !utf8.Valid(content) {
				return cty.UnknownVal(cty.String), function.NewArgErrorf(0, "%s is not UTF-8 text", path)
			}
			return cty.StringVal(string(content)), nil
		},
	})
}

func fileExistsFunction(dir string) function.Function {
	return function.New(&function.Spec{
		Params: pathParameter(),
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path, err := expandPath(dir, args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.Bool), function.NewArgErrorf(0, "the path %s", err)
			}
			info, err := os.Stat(path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return cty.UnknownVal(cty.Bool), function.NewArgError(0, err)
			}
			return cty.BoolVal(err == nil && info.Mode().IsRegular()), nil
		},
	})
}

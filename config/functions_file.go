package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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

// fileFunction reads a text file.
func fileFunction(dir string) function.Function {
	return function.New(&function.Spec{
		Params: pathParameter(),
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			_, content, err := readText(dir, args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgError(0, err)
			}
			return cty.StringVal(content), nil
		},
	})
}

// contentFunction makes a text of what is in a file.
func contentFunction(dir string, f func([]byte) string) function.Function {
	return function.New(&function.Spec{
		Params: pathParameter(),
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			_, content, err := readData(dir, args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgError(0, err)
			}
			return cty.StringVal(f(content)), nil
		},
	})
}

// readData reads a file named in the language, and gives its absolute path.
func readData(dir, name string) (string, []byte, error) {
	path, err := expandPath(dir, name)
	if err != nil {
		return "", nil, fmt.Errorf("the path %w", err)
	}
	content, err := readRegular(path, maxDataBytes)
	if err != nil {
		return "", nil, fmt.Errorf("%w; paths are relative to the configuration folder, and ${path.module} is that of a module", err)
	}
	return path, content, nil
}

func readText(dir, name string) (path, text string, err error) {
	path, content, err := readData(dir, name)
	if err != nil {
		return "", "", err
	}
	if !utf8.Valid(content) {
		return "", "", fmt.Errorf("%s is not UTF-8 text", path)
	}
	return path, string(content), nil
}

// fileSetFunction is the files of a folder whose names match a pattern, as seen
// from that folder.
func fileSetFunction(dir string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "pattern", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
			root, err := expandPath(dir, args[0].AsString())
			if err != nil {
				return cty.UnknownVal(ty), function.NewArgErrorf(0, "the path %s", err)
			}
			pattern := args[1].AsString()
			if strings.Contains(pattern, "**") {
				return cty.UnknownVal(ty), function.NewArgErrorf(1, "** is not supported; write one pattern for each depth, as *.onnx and */*.onnx")
			}
			names, err := fs.Glob(os.DirFS(root), pattern)
			if err != nil {
				return cty.UnknownVal(ty), function.NewArgErrorf(1, "%q is no pattern as *.onnx", pattern)
			}
			var files []cty.Value
			for _, name := range names {
				if info, err := os.Stat(filepath.Join(root, name)); err == nil && info.Mode().IsRegular() {
					files = append(files, cty.StringVal(name))
				}
			}
			if len(files) == 0 {
				return cty.SetValEmpty(cty.String), nil
			}
			return cty.SetVal(files), nil
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

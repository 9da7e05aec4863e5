package config

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// encodings turn a text into another one.
func encodings(dir string) map[string]function.Function {
	all := map[string]function.Function{
		"base64encode": textFunction(func(text string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(text)), nil }),
		"base64decode": textFunction(decodeBase64),
		"filebase64":   contentFunction(dir, func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }),
		"urlencode":    textFunction(func(text string) (string, error) { return url.QueryEscape(text), nil }),
	}
	for name, sum := range map[string]func([]byte) string{
		"md5":    func(b []byte) string { s := md5.Sum(b); return hex.EncodeToString(s[:]) },
		"sha1":   func(b []byte) string { s := sha1.Sum(b); return hex.EncodeToString(s[:]) },
		"sha256": func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) },
		"sha512": func(b []byte) string { s := sha512.Sum512(b); return hex.EncodeToString(s[:]) },
	} {
		all[name] = textFunction(func(text string) (string, error) { return sum([]byte(text)), nil })
		all["file"+name] = contentFunction(dir, sum)
	}
	return all
}

func textFunction(f func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, err := f(args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgError(0, err)
			}
			return cty.StringVal(text), nil
		},
	})
}

func decodeBase64(text string) (string, error) {
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", errors.New("it is no base64")
	}
	if !utf8.Valid(decoded) {
		return "", errors.New("what it encodes is not UTF-8 text")
	}
	return string(decoded), nil
}

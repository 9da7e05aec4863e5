package config

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// csvFunction reads CSV (RFC 4180) with a header line into a list of objects.
// Unlike cty's, it lets node.pi["hall"] stand without the quotes that the
// standard asks for around a quote.
func csvFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if !args[0].IsKnown() {
				return cty.DynamicPseudoType, nil
			}
			header, err := csvHeader(csvReader(args[0].AsString()))
			if err != nil {
				return cty.DynamicPseudoType, function.NewArgError(0, err)
			}
			columns := map[string]cty.Type{}
			for _, name := range header {
				columns[name] = cty.String
			}
			return cty.List(cty.Object(columns)), nil
		},
		Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
			rows, err := csvRows(csvReader(args[0].AsString()))
			if err != nil {
				return cty.DynamicVal, function.NewArgError(0, err)
			}
			if len(rows) == 0 {
				return cty.ListValEmpty(ty.ElementType()), nil
			}
			return cty.ListVal(rows), nil
		},
	})
}

func csvReader(text string) *csv.Reader {
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	r.LazyQuotes = true
	return r
}

func csvHeader(r *csv.Reader) ([]string, error) {
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the CSV is empty; it needs a header line with the names of the columns")
	}
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, name := range header {
		if seen[name] {
			return nil, fmt.Errorf("the CSV has two columns %q", name)
		}
		seen[name] = true
	}
	return header, nil
}

func csvRows(r *csv.Reader) ([]cty.Value, error) {
	header, err := csvHeader(r)
	if err != nil {
		return nil, err
	}
	r.ReuseRecord = true
	columns := append([]string(nil), header...)
	var rows []cty.Value
	known := texts{}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err // names the line and column
		}
		row := make(map[string]cty.Value, len(columns))
		for i, name := range columns {
			row[name] = known.value(record[i])
		}
		rows = append(rows, cty.ObjectVal(row))
	}
}

// texts are the values of texts seen so far: cells of large tables repeat, and
// each would otherwise keep its whole line in memory.
type texts map[string]cty.Value

// maxTexts bounds what is remembered of a table in which nothing repeats.
const maxTexts = 100_000

func (t texts) value(text string) cty.Value {
	if v, ok := t[text]; ok {
		return v
	}
	v := cty.StringVal(strings.Clone(text))
	if len(t) < maxTexts {
		t[v.AsString()] = v
	}
	return v
}

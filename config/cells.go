package config

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"
)

// cells are the columns of a row as text; what is null is "".
type cells struct{ from, to, bandwidth, latency string }

const rowColumns = "The columns are from, to, bandwidth and latency"

// cells reads a row. Those of a list have one type, which is checked once.
func (r *rowReader) cells(row cty.Value) (c cells, err error) {
	ty := row.Type()
	if !row.IsKnown() || row.IsNull() || !ty.IsObjectType() && !ty.IsMapType() {
		return c, fmt.Errorf("is no object. Write rows of { from, to, bandwidth, latency }")
	}
	if r.sameType && r.checked {
		return c, r.fill(&c, row)
	}
	if err := checkColumns(row); err != nil {
		return c, err
	}
	r.checked = ty.IsObjectType()
	return c, r.fill(&c, row)
}

func (r *rowReader) fill(c *cells, row cty.Value) error {
	for _, column := range []struct {
		name string
		text *string
	}{{"from", &c.from}, {"to", &c.to}, {"bandwidth", &c.bandwidth}, {"latency", &c.latency}} {
		value, ok := columnOf(row, column.name)
		if !ok {
			continue // latency may be left out
		}
		text, err := rowText(column.name, value)
		if err != nil {
			return err
		}
		*column.text = text
	}
	return nil
}

func columnOf(row cty.Value, name string) (cty.Value, bool) {
	if ty := row.Type(); ty.IsObjectType() {
		if !ty.HasAttribute(name) {
			return cty.NilVal, false
		}
		return row.GetAttr(name), true
	}
	key := cty.StringVal(name)
	if row.HasIndex(key).False() {
		return cty.NilVal, false
	}
	return row.Index(key), true
}

// checkColumns refuses unknown columns and asks for those that must be there.
func checkColumns(row cty.Value) error {
	for it := row.ElementIterator(); it.Next(); {
		key, _ := it.Element()
		switch name := key.AsString(); name {
		case "from", "to", "bandwidth", "latency":
		default:
			return fmt.Errorf("has an unknown column %q. %s", name, rowColumns)
		}
	}
	for _, name := range []string{"from", "to", "bandwidth"} {
		if _, ok := columnOf(row, name); !ok {
			return fmt.Errorf("has no %s. %s", name, rowColumns)
		}
	}
	return nil
}

func rowText(name string, v cty.Value) (string, error) {
	v, _ = v.Unmark()
	if isReference(v) {
		v, _ = v.GetAttr(idAttribute).Unmark()
	}
	if v.Type() != cty.String {
		converted, err := convertTo(v, cty.String)
		if err != nil {
			return "", fmt.Errorf("has no text in %s. Write it in quotes", name)
		}
		v = converted
	}
	switch {
	case !v.IsKnown():
		return "", fmt.Errorf("has no text in %s. Write it in quotes", name)
	case v.IsNull():
		return "", nil
	}
	return v.AsString(), nil
}

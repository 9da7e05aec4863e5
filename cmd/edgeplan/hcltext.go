package main

import (
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// writeHCL writes a value as in a configuration: objects, and lists of them, on lines
// of their own, and lists of plain values on one. The caller lays it out.
func writeHCL(b *strings.Builder, value cty.Value) {
	switch {
	case value.IsNull() || value.Type().IsPrimitiveType() || value.LengthInt() == 0:
		b.Write(hclwrite.TokensForValue(value).Bytes())
	case value.Type().IsObjectType():
		b.WriteString("{\n")
		writeAttributes(b, value)
		b.WriteString("}")
	case ofPrimitives(value):
		b.Write(hclwrite.TokensForValue(value).Bytes())
	default:
		b.WriteString("[\n")
		for it := value.ElementIterator(); it.Next(); {
			_, element := it.Element()
			writeHCL(b, element)
			b.WriteString(",\n")
		}
		b.WriteString("]")
	}
}

// writeAttributes writes an object's attributes, a line each.
func writeAttributes(b *strings.Builder, object cty.Value) {
	for it := object.ElementIterator(); it.Next(); {
		key, element := it.Element()
		name := key.AsString()
		if !hclsyntax.ValidIdentifier(name) {
			name = string(hclwrite.TokensForValue(key).Bytes())
		}
		b.WriteString(name + " = ")
		writeHCL(b, element)
		b.WriteString("\n")
	}
}

func ofPrimitives(list cty.Value) bool {
	for it := list.ElementIterator(); it.Next(); {
		if _, element := it.Element(); !element.Type().IsPrimitiveType() {
			return false
		}
	}
	return true
}

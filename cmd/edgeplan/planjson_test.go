package main

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeplan/edgeplan/plan"
	"github.com/edgeplan/edgeplan/statefile"
)

// docs/plan-json.md lists every field of the document, and no other.
func TestPlanJSONIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/plan-json.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		documented = append(documented, row[1])
	}
	fields := fieldsOf(reflect.TypeFor[planDocument](), "")
	slices.Sort(documented)
	slices.Sort(fields)
	if diff := cmp.Diff(fields, documented); diff != "" {
		t.Errorf("docs/plan-json.md and the document differ (-document +page):\n%s", diff)
	}
}

// fieldsOf are the paths of all values that a type has in JSON.
func fieldsOf(t reflect.Type, path string) []string {
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return []string{path}
	case t.Kind() == reflect.Pointer:
		return fieldsOf(t.Elem(), path)
	case t.Kind() == reflect.Slice:
		return fieldsOf(t.Elem(), path+"[]")
	case t.Kind() != reflect.Struct:
		return []string{path}
	}
	var all []string
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-" || !field.IsExported():
		case field.Anonymous:
			all = append(all, fieldsOf(field.Type, path)...)
		default:
			all = append(all, fieldsOf(field.Type, strings.TrimLeft(path+"."+name, "."))...)
		}
	}
	return all
}

// A list without elements is [] and not null, so that nobody has to look for both.
func TestPlanJSONListsAreNeverNull(t *testing.T) {
	for i, value := 0, reflect.ValueOf(emptyDocument()); i < value.NumField(); i++ {
		if field := value.Field(i); field.Kind() == reflect.Slice && field.IsNil() {
			t.Errorf("%s is null in the document of an empty plan", value.Type().Field(i).Name)
		}
	}
}

func emptyDocument() planDocument { return documentOf(plan.Destroy(statefile.New())) }

package main_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// The README shows what `edgeplan plan` prints today.
func TestReadmeTranscript(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := txtar.ParseFile("testdata/script/plan.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range script.Files {
		if file.Name == "plan.golden" && !strings.Contains(withoutUploads(string(readme)), "$ edgeplan plan\n"+withoutUploads(string(file.Data))+"```") {
			t.Errorf("README.md shows another plan than testdata/script/plan.txt; it should show:\n%s", file.Data)
		}
	}
}

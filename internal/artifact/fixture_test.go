package artifact

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"debug/macho"
	"encoding/binary"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// fakeELF is the header of a 64-bit library for a machine, and a text that
// makes it differ from others.
func fakeELF(t *testing.T, machine elf.Machine, kind elf.Type, text string) []byte {
	t.Helper()
	header := elf.Header64{Type: uint16(kind), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Ehsize: 64}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	header.Ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	return append(encode(t, header), text...)
}

// fakeMachO is a library for arm64 Macs that names itself as ONNX Runtime does.
func fakeMachO(t *testing.T, text string) []byte {
	t.Helper()
	name := "@rpath/libonnxruntime.1.24.3.dylib\x00\x00"
	load := []uint32{0xd, uint32(24 + len(name)), 24, 1, 0, 0} // LC_ID_DYLIB
	header := struct {
		macho.FileHeader
		Reserved uint32
	}{FileHeader: macho.FileHeader{Magic: macho.Magic64, Cpu: macho.CpuArm64, Type: macho.TypeDylib, Ncmd: 1, Cmdsz: load[1]}}
	return append(append(append(encode(t, header), encode(t, load)...), name...), text...)
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := binary.Write(&out, binary.LittleEndian, value); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// entry is one file of an archive.
type entry struct {
	name    string
	content []byte
	kind    byte // 0: a regular file
}

// archive writes a .tgz as npm makes it.
func archive(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	files := tar.NewWriter(zipped)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(e.content))}
		if e.kind != 0 {
			header.Typeflag, header.Size, header.Linkname = e.kind, 0, string(e.content)
		}
		if err := files.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if header.Size > 0 {
			if _, err := files.Write(e.content); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// bench is an operator's machine of its own: empty cache, configuration
// folder, stub source of the worker, and a PATH with a fake npm and the real Go.
type bench struct {
	dir, cache, bin, source string
	libraries               map[string][]byte // by platform, as the fake package holds them
	options                 Options
	release                 release
}

func newBench(t *testing.T) *bench {
	t.Helper()
	root := t.TempDir()
	b := &bench{
		dir: filepath.Join(root, "cluster"), cache: filepath.Join(root, "cache"),
		bin: filepath.Join(root, "bin"), source: filepath.Join(root, "source"),
		libraries: map[string][]byte{
			"darwin/arm64": fakeMachO(t, "mac"),
			"linux/amd64":  fakeELF(t, elf.EM_X86_64, elf.ET_DYN, "amd64"),
			"linux/arm64":  fakeELF(t, elf.EM_AARCH64, elf.ET_DYN, "arm64"),
		},
	}
	b.release = currentRelease()
	for i := range b.release.libraries {
		l := &b.release.libraries[i]
		l.digest = digestOf(b.libraries[l.platform])
	}
	b.options = Options{CacheDir: b.cache, Host: "linux/amd64", Executable: filepath.Join(b.bin, "edgeplan"),
		sources: []string{filepath.Join(b.source, "bin")}, release: &b.release}
	put(t, filepath.Join(b.dir, "main.edgeplan.hcl"), nil, 0o644)
	b.writeSource(t, "first")
	b.installNpm(t, b.packageArchive(t))
	b.linkGo(t)
	t.Setenv("PATH", b.bin)
	return b
}

func put(t *testing.T, path string, content []byte, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, mode); err != nil {
		t.Fatal(err)
	}
}

// writeSource writes a module named as the real one, with a worker that says a text.
func (b *bench) writeSource(t *testing.T, text string) {
	t.Helper()
	put(t, filepath.Join(b.source, "go.mod"), []byte("module "+modulePath+"\n\ngo 1.24\n"), 0o644)
	put(t, filepath.Join(b.source, workerPackage, "main.go"), []byte("package main\n\nfunc main() { println(\""+text+"\") }\n"), 0o644)
}

// packageArchive is the npm package with every library of the release.
func (b *bench) packageArchive(t *testing.T) []byte {
	t.Helper()
	entries := []entry{{name: "package/package.json", content: []byte("{}")}}
	for _, l := range b.release.libraries {
		entries = append(entries, entry{name: "package/bin/napi-v6/" + l.npmPath, content: b.libraries[l.platform]})
	}
	return archive(t, entries...)
}

// installNpm puts an npm into PATH that packs the given archive, and counts its runs.
func (b *bench) installNpm(t *testing.T, content []byte) {
	t.Helper()
	cp := findTool(t, "cp")
	file := filepath.Join(filepath.Dir(b.bin), "package.tgz")
	put(t, file, content, 0o644)
	b.npmScript(t, `[ "$1 $2 $3 $4" = "pack onnxruntime-node@1.24.3 --ignore-scripts --pack-destination" ] || exit 2
`+cp+` "`+file+`" "$5/onnxruntime-node-1.24.3.tgz"`)
}

func (b *bench) npmScript(t *testing.T, body string) {
	t.Helper()
	put(t, filepath.Join(b.bin, "npm"), []byte("#!/bin/sh\necho run >> \""+b.npmLog()+"\"\n"+body+"\n"), 0o755)
}

func (b *bench) npmLog() string { return filepath.Join(filepath.Dir(b.bin), "npm.log") }

// npmRuns is how often npm was called.
func (b *bench) npmRuns() int {
	content, _ := os.ReadFile(b.npmLog())
	return bytes.Count(content, []byte("\n"))
}

func (b *bench) removeTool(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(b.bin, name)); err != nil {
		t.Fatal(err)
	}
}

// systemPath is PATH as the test program was given it.
var systemPath = os.Getenv("PATH")

func findTool(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range filepath.SplitList(systemPath) {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed", name)
	return ""
}

// linkGo makes the Go toolchain the only other program in PATH.
func (b *bench) linkGo(t *testing.T) {
	t.Helper()
	if err := os.Symlink(findTool(t, "go"), filepath.Join(b.bin, "go")); err != nil {
		t.Fatal(err)
	}
}

// collect runs Collect and fails the test when it fails.
func (b *bench) collect(t *testing.T, platforms ...string) (*Set, []Action) {
	t.Helper()
	set, actions, err := Collect(t.Context(), b.dir, platforms, b.options)
	if err != nil {
		t.Fatal(err)
	}
	return set, actions
}

// worker is the collected worker of a platform.
func worker(t *testing.T, s *Set, platform string) Artifact {
	t.Helper()
	a, err := s.Worker(platform)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

package artifact

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
)

// objectFile is what the header of a program or library tells.
type objectFile struct {
	platform string
	library  bool
	version  string // of ONNX Runtime; "unknown" where the file does not say
}

// versionPattern finds the version that ONNX Runtime's symbols carry (ELF:
// VERS_1.24.3) or its install name (Mach-O: @rpath/libonnxruntime.1.24.3.dylib).
var versionPattern = regexp.MustCompile(`(?:^VERS_|libonnxruntime\.)(\d+\.\d+\.\d+)`)

// inspect reads for which platform a file is built.
func inspect(path string) (b objectFile, err error) {
	f, err := os.Open(path)
	if err != nil {
		return objectFile{}, err
	}
	defer func() { _ = f.Close() }()
	magic := make([]byte, 4)
	if _, err := io.ReadFull(f, magic); err != nil {
		return objectFile{}, fmt.Errorf("%s is too short for a library: %w", path, err)
	}
	switch {
	case string(magic) == elf.ELFMAG:
		b, err = inspectELF(f)
	case bytes.Equal(magic, []byte{0xcf, 0xfa, 0xed, 0xfe}):
		b, err = inspectMachO(f)
	default:
		err = errors.New("it is neither an ELF nor a 64-bit Mach-O file")
	}
	if err != nil {
		return objectFile{}, fmt.Errorf("%s is no library: %w", path, err)
	}
	return b, nil
}

func inspectELF(r io.ReaderAt) (objectFile, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return objectFile{}, err
	}
	b := objectFile{platform: "linux/" + elfArchitecture(f.FileHeader), version: "unknown"}
	// A program may be position-independent; only a program names an interpreter.
	b.library = f.Type == elf.ET_DYN
	for _, segment := range f.Progs {
		b.library = b.library && segment.Type != elf.PT_INTERP
	}
	versions, err := f.DynamicVersions()
	if err != nil {
		return b, nil // a library without versioned symbols
	}
	for _, v := range versions {
		if match := versionPattern.FindStringSubmatch(v.Name); match != nil {
			b.version = match[1]
		}
	}
	return b, nil
}

// elfArchitecture names a machine as Go does.
func elfArchitecture(h elf.FileHeader) string {
	switch {
	case h.Machine == elf.EM_X86_64 && h.Class == elf.ELFCLASS64:
		return "amd64"
	case h.Machine == elf.EM_AARCH64 && h.Data == elf.ELFDATA2LSB:
		return "arm64"
	case h.Machine == elf.EM_ARM && h.Data == elf.ELFDATA2LSB:
		return "arm"
	}
	return fmt.Sprintf("%s (%s)", h.Machine, h.Class)
}

func inspectMachO(r io.ReaderAt) (objectFile, error) {
	f, err := macho.NewFile(r)
	if err != nil {
		return objectFile{}, err
	}
	b := objectFile{platform: "darwin/" + machOArchitecture(f.Cpu), library: f.Type == macho.TypeDylib, version: "unknown"}
	for _, load := range f.Loads {
		if match := versionPattern.FindSubmatch(load.Raw()); match != nil {
			b.version = string(match[1])
			break // the first load command of this kind is the library's own name
		}
	}
	return b, nil
}

func machOArchitecture(cpu macho.Cpu) string {
	switch cpu {
	case macho.CpuAmd64:
		return "amd64"
	case macho.CpuArm64:
		return "arm64"
	}
	return cpu.String()
}

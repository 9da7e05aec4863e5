package ort

import (
	"debug/elf"
	"fmt"
	"runtime"
)

// checkPlatform says when a library is for another processor or system: dlopen
// says only that it does not find the file. Files of other formats are dlopen's.
func checkPlatform(path string) error {
	file, err := elf.Open(path)
	if err != nil {
		if runtime.GOOS == "linux" {
			return fmt.Errorf("it is no library for Linux: %w", err)
		}
		return nil
	}
	defer file.Close()
	machines := map[string]elf.Machine{
		"386": elf.EM_386, "amd64": elf.EM_X86_64, "arm": elf.EM_ARM, "arm64": elf.EM_AARCH64, "riscv64": elf.EM_RISCV,
	}
	if runtime.GOOS != "linux" {
		return fmt.Errorf("it is a library for Linux, and this is %s", runtime.GOOS)
	}
	if want, ok := machines[runtime.GOARCH]; ok && file.Machine != want {
		return fmt.Errorf("it is for another processor: the library says %s, this program is %s (%s)", file.Machine, want, runtime.GOARCH)
	}
	return nil
}

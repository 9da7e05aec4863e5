//go:build !crashpoints

package statefile

// systemFiles is the file system that states are kept in.
func systemFiles() fileSystem { return osFiles{} }

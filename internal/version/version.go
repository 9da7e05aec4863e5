// Package version says which edgeplan this is.
package version

// Version is the version of the program; a release build sets it with
// -ldflags "-X github.com/edgeplan/edgeplan/internal/version.Version=1.2.3".
var Version = "0.1.0"

//go:build !linux

package testbed

import (
	"errors"
	"os"
)

// allocate is of Linux only, as devices are.
func allocate(*os.File, int64, int64) error { return errors.ErrUnsupported }

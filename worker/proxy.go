package worker

import (
	"errors"
	"io"
	"net"
)

// Proxy connects the operator, at the other end of stdin and stdout, with the
// worker of a release folder until either of them hangs up.
func Proxy(dir string, stdin io.Reader, stdout io.Writer) error {
	conn, err := dialControl(dir)
	if err != nil {
		return err
	}
	defer conn.Close()
	up := make(chan error, 1)
	go func() {
		_, err := io.Copy(conn, stdin)
		up <- err
		if half, ok := conn.(*net.UnixConn); ok {
			half.CloseWrite() // the worker then hangs up, which ends the copy below
		}
	}()
	_, down := io.Copy(stdout, conn)
	select {
	case err := <-up:
		return errors.Join(err, down)
	default: // the worker hung up first; the read of stdin is left to the end of the process
		return down
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/term"
)

// inputVariable is the environment variable that forbids asking, as -input=false does.
const inputVariable = "EDGEPLAN_INPUT"

// mayAsk says whether the environment allows asking.
func mayAsk() bool {
	value := os.Getenv(inputVariable)
	return value != "0" && value != "false"
}

// passphraser asks for the passphrases of keys; nil where nobody can be asked. As
// with ssh, the terminal is asked even where standard input comes from elsewhere.
func (c *cli) passphraser() func(context.Context, string) (string, error) {
	if !c.input || c.complete != nil {
		return nil
	}
	terminal, err := openTerminal()
	if err != nil {
		return nil
	}
	terminal.Close()
	return askSecret
}

func openTerminal() (*os.File, error) { return os.OpenFile("/dev/tty", os.O_RDWR, 0) }

// askSecret asks on the terminal without showing what is typed, from before the question
// is there. It leaves the terminal as it was, also after an interrupt.
func askSecret(ctx context.Context, question string) (secret string, err error) {
	terminal, err := openTerminal()
	if err != nil {
		return "", err
	}
	defer terminal.Close()
	number := int(terminal.Fd())
	before, err := term.GetState(number)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, term.Restore(number, before)) }()
	if err := stopEcho(terminal); err != nil {
		return "", err
	}
	fmt.Fprintf(terminal, "%s: ", question)
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(number)
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		fmt.Fprintln(terminal)
		return string(a.text), a.err
	case <-ctx.Done():
		fmt.Fprintln(terminal)
		return "", errors.New("asking for it was interrupted")
	}
}

package worker

import (
	_ "embed"
	"path/filepath"
	"strings"
	texttemplate "text/template"

	"github.com/edgeplan/edgeplan/internal/unitfile"
)

// exitUnwanted is the exit code of a supervised worker that is not Wanted: after
// a reboot only the current release runs, and systemd is to leave the others.
const exitUnwanted = 3

// unit is what the unit of a worker is made of (systemd.service(5)).
type unit struct {
	System   bool   // for the system's manager, which can do more
	User     string // who runs the worker, for the system's manager
	Version  int    // of the manager
	Dir      string // release folder
	Program  string
	Key      string // "" is the folder's own
	Model    string
	Release  string
	MemoryMB int64 // limit in MiB; 0 for none
}

//go:embed worker.service.tmpl
var unitText string

var unitTemplate = texttemplate.Must(texttemplate.New("worker.service").Funcs(texttemplate.FuncMap{
	"quote": unitfile.Quote, "quotePath": unitfile.QuotePath, "path": unitfile.Specifiers}).Parse(unitText))

// render writes the unit. The parts that name things must be free of control characters.
func (u unit) render() (string, error) {
	if err := unitfile.Check(u.User, u.Dir, u.Program, u.Key, u.Model, u.Release); err != nil {
		return "", err
	}
	var out strings.Builder
	err := unitTemplate.Execute(&out, u)
	return out.String(), err
}

// Exit codes, and versions that brought a setting, for the template.

func (u unit) Unwanted() int  { return exitUnwanted }
func (u unit) Stop() int      { return int((stopGrace + killGrace).Seconds()) }
func (u unit) Backoff() bool  { return u.Version >= 254 } // RestartSteps, RestartMaxDelaySec
func (u unit) Pause() string  { return firstPause.String() }
func (u unit) Longest() int   { return int(longestPause.Seconds()) }
func (u unit) Folder() string { return filepath.Dir(filepath.Dir(filepath.Dir(u.Dir))) }

// Command starts the line of the command.
func (u unit) Command() string { return unitfile.Program(u.Program) }

// Log is the worker's log, which the unit appends to.
func (u unit) Log() string { return filepath.Join(u.Dir, LogFile) }

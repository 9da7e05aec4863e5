package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// starter starts the worker of a release folder that does not run.
type starter struct {
	dir      string
	manifest Manifest
	o        StartOptions
	way      Supervision
	warnings []string
}

func newStarter(dir string, m Manifest, o StartOptions, way Supervision) *starter {
	return &starter{dir: dir, manifest: m, o: o, way: way}
}

// start registers the worker for reboots, starts it, and ends it when it does
// not become ready.
func (s *starter) start(ctx context.Context) (Status, error) {
	logFile, begin, err := openLog(s.dir)
	if err != nil {
		return Status{}, err
	}
	defer logFile.Close()
	if err := writeMark(s.dir, s.manifest.Listen, s.way); err != nil {
		return Status{}, err
	}
	if err := s.register(ctx); err != nil {
		return Status{}, err
	}
	status, err := s.launch(ctx, logFile)
	if err != nil {
		end := context.WithoutCancel(ctx)
		err = errors.Join(err, Stop(end, s.dir)) // nothing that failed to start stays behind
		status, _ = ReadStatus(s.dir)
		status.Log = tail(logFile.Name(), begin)
	}
	status.Warnings = s.warnings
	return status, err
}

// wait waits for a worker that runs already.
func (s *starter) wait(ctx context.Context) (Status, error) {
	if err := errors.Join(writeMark(s.dir, s.manifest.Listen, s.way), s.register(ctx)); err != nil {
		return Status{}, err
	}
	status, err := waitReady(ctx, s.dir, nil)
	status.Warnings = s.warnings
	return status, err
}

// register has the worker come back after a reboot, in one way only. Where that
// fails without systemd the worker runs all the same, with a warning.
func (s *starter) register(ctx context.Context) error {
	problem := forgetOthers(ctx, s.dir, s.way)
	switch {
	case s.way == SystemUnit || s.way == UserUnit:
		u, err := s.unit(ctx)
		if err == nil {
			err = s.manager().register(ctx, s.dir, u)
		}
		return errors.Join(problem, err)
	case s.way == Cron && inDeployment(s.dir):
		problem = errors.Join(problem, registerCron(ctx, s.dir))
	case s.way == Unregistered && os.Getenv(SupervisionVariable) == "":
		problem = errors.Join(problem, errors.New("there is neither systemd nor crontab: install cron"))
	}
	if problem != nil {
		s.warnings = append(s.warnings, fmt.Sprintf("the worker does not come back by itself after a reboot: %v", problem))
	}
	return nil
}

func (s *starter) manager() manager { return managerOf(s.way) }

// launch runs the worker and waits until it is ready.
func (s *starter) launch(ctx context.Context, logFile *os.File) (Status, error) {
	if s.way == SystemUnit || s.way == UserUnit {
		return s.startUnit(ctx)
	}
	args, err := programArgs("supervise", s.dir, s.o.Program, s.o.Key, "-fail-fast")
	if err != nil {
		return Status{}, err
	}
	said, says, err := os.Pipe()
	if err != nil {
		return Status{}, err
	}
	defer said.Close()
	command := exec.Command(args[0], args[1:]...)
	command.Dir = s.dir
	command.Stdout, command.Stderr = says, logFile
	// A session of its own: no terminal, no hang-up when the session of its parent ends.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = command.Start()
	says.Close()
	if err != nil {
		return Status{}, fmt.Errorf("cannot start the worker: %w", err)
	}
	status, err := s.hear(ctx, command, said)
	if err != nil {
		syscall.Kill(-command.Process.Pid, syscall.SIGKILL) // the supervisor and its worker
	}
	return status, err
}

// hear waits until the supervisor says that its worker is ready, or ends.
func (s *starter) hear(ctx context.Context, supervisor *exec.Cmd, said *os.File) (Status, error) {
	exited := make(chan error, 1)
	go func() { exited <- supervisor.Wait() }()
	ready := make(chan bool, 1)
	go func() {
		if _, err := said.Read(make([]byte, 1)); err == nil {
			ready <- true
		}
	}()
	select {
	case <-ready:
		return ReadStatus(s.dir)
	case err := <-exited:
		return exitedEarly(s.dir, err)
	case <-ctx.Done():
		return Status{}, fmt.Errorf("the worker did not start: %w", context.Cause(ctx))
	}
}

func (s *starter) startUnit(ctx context.Context) (Status, error) {
	if s.way == SystemUnit {
		if err := giveTo(s.dir, s.o.Key); err != nil {
			return Status{}, err
		}
	}
	m := s.manager()
	if _, err := m.systemctl(ctx, "start", unitName(s.dir)); err != nil {
		return Status{}, err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	return waitReady(ctx, s.dir, m.watch(watching, s.dir))
}

// unit describes the worker to systemd.
func (s *starter) unit(ctx context.Context) (unit, error) {
	args, err := programArgs("run", s.dir, s.o.Program, s.o.Key)
	if err != nil {
		return unit{}, err
	}
	u := unit{Dir: s.dir, Program: args[0], Model: s.manifest.Model, Release: s.manifest.Release,
		Version: s.manager().version(ctx), MemoryMB: s.manifest.MemoryLimit() >> 20}
	if s.o.Key != "" {
		u.Key = args[len(args)-2]
	}
	if s.way == SystemUnit {
		u.System = true
		u.User, err = s.owner(u.Folder())
	}
	return u, err
}

// owner of edgeplan's folder runs the worker. Where it is root, the worker is
// root without any of its capabilities.
func (s *starter) owner(folder string) (string, error) {
	uid, _, err := ownerOf(folder)
	if err != nil {
		return "", err
	}
	if uid == 0 {
		s.warnings = append(s.warnings, fmt.Sprintf(
			"the worker runs as root, without its capabilities, because %s belongs to root: give the folder to another user to change that", folder))
	}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username, nil
	}
	return strconv.Itoa(uid), nil
}

func ownerOf(path string) (uid, gid int, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, fmt.Errorf("%s: its owner is not known", path)
	}
	return int(stat.Uid), int(stat.Gid), nil
}

// giveTo gives the files of a release, which root has written, to the owner of
// edgeplan's folder.
func giveTo(dir, key string) error {
	folder := filepath.Dir(filepath.Dir(filepath.Dir(dir)))
	uid, gid, err := ownerOf(folder)
	if err != nil || uid == os.Geteuid() {
		return err
	}
	for _, path := range []string{filepath.Dir(filepath.Dir(dir)), filepath.Dir(dir), key} {
		if path == "" {
			continue
		}
		if err := os.Lchown(path, uid, gid); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
}

// forgetOthers removes what another way of supervision has left.
func forgetOthers(ctx context.Context, dir string, way Supervision) error {
	var problems []error
	if way != SystemUnit {
		problems = append(problems, systemManager().forget(ctx, dir))
	}
	if way != UserUnit {
		problems = append(problems, userManager().forget(ctx, dir))
	}
	if (way == SystemUnit || way == UserUnit) && inDeployment(dir) {
		problems = append(problems, forgetCron(ctx, dir))
	}
	return errors.Join(problems...)
}

// Forget stops the worker of a release folder, and removes what starts it after
// a reboot: its unit, and with the current release the line of its deployment in
// the crontab.
func Forget(ctx context.Context, dir string) error {
	dir, err := realFolder(dir)
	if err != nil {
		return err
	}
	problems := []error{Stop(ctx, dir), systemManager().forget(ctx, dir), userManager().forget(ctx, dir)}
	_, linkErr := os.Stat(deploymentLink(dir))
	if inDeployment(dir) && (isCurrent(dir) || errors.Is(linkErr, fs.ErrNotExist)) {
		problems = append(problems, forgetCron(ctx, dir))
	}
	return errors.Join(problems...)
}

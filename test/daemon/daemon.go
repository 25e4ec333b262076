// Package daemon runs server programs for tests in directories of their own, as an unprivileged user where the caller is root: database servers
// refuse to run as root.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// readyWithin is far more than the second that a start takes on an idle machine.
	readyWithin = 60 * time.Second
	// stopWithin is how long a server may take to end before it is killed.
	stopWithin = 20 * time.Second
	// pollInterval is how often Await looks whether the server is ready.
	pollInterval = 20 * time.Millisecond
	// logTail is how many bytes of a log an error shows.
	logTail = 2000
)

// Owner is the user that programs run as and that files belong to.
type Owner struct {
	name       string
	credential *syscall.Credential
	uid, gid   int
}

// NewOwner returns the caller, or for root the first of the named users that exists. It fails for root when none does.
func NewOwner(names ...string) (Owner, error) {
	if os.Geteuid() != 0 {
		return Owner{uid: -1, gid: -1}, nil
	}
	for _, name := range names {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(found.Uid, 10, 31)
		gid, gidErr := strconv.ParseUint(found.Gid, 10, 31)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return Owner{}, fmt.Errorf("read the ids of user %s: %w", name, err)
		}
		return Owner{name: name, uid: int(uid), gid: int(gid), credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return Owner{}, fmt.Errorf("find a user to run a server as: none of %q exists, and servers refuse to run as root", names)
}

// Directory makes a directory that only the owner can read. The caller removes it.
func (o Owner) Directory(pattern string) (string, error) {
	dir, err := os.MkdirTemp("", pattern)
	if err != nil {
		return "", fmt.Errorf("make a directory for a server: %w", err)
	}
	if err := os.Chown(dir, o.uid, o.gid); err != nil {
		return "", errors.Join(fmt.Errorf("give the directory of a server to its user: %w", err), os.RemoveAll(dir))
	}
	return dir, nil
}

// Write writes a file that only the owner can read.
func (o Owner) Write(path string, content []byte) error {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("write a file for a server: %w", err)
	}
	if err := os.Chown(path, o.uid, o.gid); err != nil {
		return fmt.Errorf("give a file to the user of a server: %w", err)
	}
	return nil
}

// command runs in dir, with an environment that nothing of the caller's gets into. Temporary files are kept there too: a MariaDB server that starts deletes those of every other one
// in the same directory, in the middle of their queries.
func (o Owner) command(ctx context.Context, dir, program string, args []string) *exec.Cmd {
	command := exec.CommandContext(ctx, program, args...)
	command.Dir = dir
	command.Env = []string{"HOME=" + dir, "TMPDIR=" + dir, "LC_ALL=C.UTF-8", "TZ=Europe/Berlin", "PATH=" + filepath.Dir(program) + ":/usr/sbin:/usr/bin:/sbin:/bin"}
	if o.name != "" {
		command.Env = append(command.Env, "USER="+o.name, "LOGNAME="+o.name)
	}
	// A group of its own keeps the interrupt of a terminal from servers that are stopped in order.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: o.credential}
	return command
}

// Run runs a program in dir to its end. Its error shows the end of what the program printed.
func (o Owner) Run(ctx context.Context, dir, program string, args ...string) error {
	printed, err := o.command(ctx, dir, program, args).CombinedOutput()
	if err != nil {
		return fmt.Errorf("run %s: %w; it printed:\n%s", filepath.Base(program), err, printed[max(0, len(printed)-logTail):])
	}
	return nil
}

// Process is a running server.
type Process struct {
	name   string
	log    string
	cancel context.CancelFunc
	exited chan struct{}
	stop   sync.Once
}

// Start runs a server in dir, which logs to server.log there. It ends with Stop or when ctx is done: then it gets the signal end.
func (o Owner) Start(ctx context.Context, dir string, end os.Signal, program string, args ...string) (*Process, error) {
	path := filepath.Join(dir, "server.log")
	log, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("open the log of a server: %w", err)
	}
	running, cancel := context.WithCancel(ctx)
	command := o.command(running, dir, program, args)
	command.Stdout, command.Stderr = log, log
	command.Cancel = func() error { return command.Process.Signal(end) }
	command.WaitDelay = stopWithin
	if err := command.Start(); err != nil {
		cancel()
		_ = log.Close()
		return nil, fmt.Errorf("start %s: %w", filepath.Base(program), err)
	}
	process := &Process{name: filepath.Base(program), log: path, cancel: cancel, exited: make(chan struct{})}
	go func() {
		// How it ended is in the log, and Await reports it when it matters.
		_ = command.Wait()
		_ = log.Close()
		close(process.exited)
	}()
	return process, nil
}

// Await returns when ready does without an error. It stops the server and fails when that takes too long or the server ends.
func (p *Process) Await(ctx context.Context, ready func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended at once; its log ends with:\n%s", p.name, p.tail())
		case <-ctx.Done():
			p.Stop()
			return fmt.Errorf("%s did not become ready (%w); its log ends with:\n%s", p.name, err, p.tail())
		case <-ticker.C:
		}
	}
}

// Stop ends the server and waits until it has ended. It may be called more than once.
func (p *Process) Stop() {
	p.stop.Do(p.cancel)
	<-p.exited
}

// tail returns the end of the log, which says why a server did not start.
func (p *Process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logTail):])
}

// FreePort returns a port of the loopback interface that was free a moment ago.
func FreePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return port, nil
}

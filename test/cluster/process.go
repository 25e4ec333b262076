package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// logTail is how many bytes of a log an error shows.
const logTail = 3000

// processOptions say what to run.
type processOptions struct {
	name string
	path string
	args []string
	// env is added to our own environment.
	env []string
	// log is the file that gets what the program prints. It is appended to, so that one file tells of several runs.
	log string
}

// process is a program that we started and that only we end.
type process struct {
	options processOptions
	command *exec.Cmd
	exited  chan struct{}
	// failure is how it ended. Read it only after exited is closed.
	failure error
	signal  sync.Mutex
}

// startProcess runs a program in a process group of its own: a console's interrupt reaches our whole group, and children
// are to end in order, by stop.
func startProcess(options processOptions) (*process, error) {
	log, err := os.OpenFile(options.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", options.name, err)
	}
	command := exec.Command(options.path, options.args...)
	command.Env = append(os.Environ(), options.env...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", options.name, err), log.Close())
	}
	p := &process{options: options, command: command, exited: make(chan struct{})}
	go func() {
		p.failure = errors.Join(command.Wait(), log.Close())
		close(p.exited)
	}()
	return p, nil
}

// pid is the number of the process.
func (p *process) pid() int { return p.command.Process.Pid }

// await looks again and again until the program is ready. It fails when the program ends or when it takes too long.
func (p *process) await(ctx context.Context, ready func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		if ready(ctx) {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended before it was ready (%w); its log ends with:\n%s", p.options.name, p.outcome(), tail(p.options.log))
		case <-ctx.Done():
			return fmt.Errorf("%s was not ready in time: %w; its log ends with:\n%s", p.options.name, ctx.Err(), tail(p.options.log))
		case <-ticker.C:
		}
	}
}

// outcome is how the program ended, never nil.
func (p *process) outcome() error {
	if p.failure != nil {
		return p.failure
	}
	return errors.New("exit status 0")
}

// stop asks the program to end, waits until it has, and kills it when it takes too long.
func (p *process) stop() error {
	if !p.send(syscall.SIGTERM) {
		return nil
	}
	p.send(syscall.SIGCONT) // one that is paused hears nothing
	timeout := time.NewTimer(stopWithin)
	defer timeout.Stop()
	select {
	case <-p.exited:
		return nil
	case <-timeout.C:
	}
	p.kill()
	return fmt.Errorf("stop %s: it was killed, because it did not end within %s", p.options.name, stopWithin)
}

// kill ends the program at once, without giving it a chance to tidy up, and waits until it has ended.
func (p *process) kill() {
	if p.send(syscall.SIGKILL) {
		<-p.exited
	}
}

// send signals the process unless it has ended already, when its number may belong to another one.
func (p *process) send(signal syscall.Signal) bool {
	p.signal.Lock()
	defer p.signal.Unlock()
	select {
	case <-p.exited:
		return false
	default:
		// A process that ends at this moment has not been waited for, or the error says that it has: both are harmless.
		_ = p.command.Process.Signal(signal)
		return true
	}
}

// tail returns the end of a log, which says why a program did not work.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if len(text) <= logTail {
		return string(text)
	}
	text = text[len(text)-logTail:]
	// From the beginning of a line on: half a line misleads.
	return string(text[bytes.IndexByte(text, '\n')+1:])
}

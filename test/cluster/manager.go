package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// portAttempts is how often a manager is started on other ports when somebody else took the free ones first.
const portAttempts = 3

// ManagerOptions say how to run the manager.
type ManagerOptions struct {
	// Binary is the path of the manager. Empty means the value of the environment variable MANAGER.
	Binary string
	// Name tells several managers apart: the log is <Name>.log in the cluster's directory, and a manager that is started
	// under a name again appends to it. Empty means "manager".
	Name string
	// Kubeconfig is the identity that the manager runs under. Empty means the administrator's.
	Kubeconfig string
	// LeaderElectionNamespace is the namespace of the lease that managers compete for. Empty switches leader election off.
	LeaderElectionNamespace string
	// Args are appended to the command line.
	Args []string
	// Env is added to the environment, as "NAME=value".
	Env []string
}

// Manager is a running manager process.
type Manager struct {
	process *process
	metrics string
	health  string
}

// StartManager runs the manager against the cluster, and returns when it says that it is ready. It ends with Stop or
// Kill, or with the cluster.
func (c *Cluster) StartManager(ctx context.Context, options ManagerOptions) (*Manager, error) {
	options, err := c.completeManager(options)
	if err != nil {
		return nil, fmt.Errorf("start the manager: %w", err)
	}
	var failures []error
	for range portAttempts {
		manager, err := c.startManager(ctx, options)
		if err == nil {
			return manager, nil
		}
		failures = append(failures, err)
		if !strings.Contains(err.Error(), "address already in use") {
			break
		}
	}
	return nil, fmt.Errorf("start the manager: %w", errors.Join(failures...))
}

func (c *Cluster) completeManager(options ManagerOptions) (ManagerOptions, error) {
	if options.Binary == "" {
		options.Binary = os.Getenv("MANAGER")
	}
	if options.Binary == "" {
		return options, errors.New("MANAGER is not set: run `make build` and set MANAGER to the path of bin/manager")
	}
	if _, err := exec.LookPath(options.Binary); err != nil {
		return options, fmt.Errorf("find the manager: %w: run `make build`, which makes bin/manager", err)
	}
	if options.Name == "" {
		options.Name = "manager"
	}
	if options.Kubeconfig == "" {
		options.Kubeconfig = c.kubeconfig
	}
	return options, nil
}

// startManager makes one attempt on two free ports.
func (c *Cluster) startManager(ctx context.Context, options ManagerOptions) (*Manager, error) {
	metrics, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	health, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	// Everything that a test measures listens on this machine.
	args := []string{"--metrics-bind-address=" + metrics, "--health-probe-bind-address=" + health, "--allow-source-hosts=127.0.0.1"}
	if options.LeaderElectionNamespace == "" {
		args = append(args, "--leader-elect=false")
	} else {
		args = append(args, "--leader-elect=true", "--leader-election-namespace="+options.LeaderElectionNamespace)
	}
	started, err := startProcess(processOptions{
		name: options.Name,
		path: options.Binary,
		args: append(args, options.Args...),
		env:  append([]string{"KUBECONFIG=" + options.Kubeconfig}, options.Env...),
		log:  filepath.Join(c.options.Dir, options.Name+".log"),
	})
	if err != nil {
		return nil, err
	}
	manager := &Manager{process: started, metrics: "http://" + metrics + "/metrics", health: "http://" + health}
	if err := c.adopt(manager); err != nil {
		return nil, err
	}
	if err := started.await(ctx, manager.ready); err != nil {
		return nil, errors.Join(err, manager.Stop())
	}
	return manager, nil
}

// adopt makes sure that the manager ends before the API server does.
func (c *Cluster) adopt(manager *Manager) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.stopped {
		return errors.Join(errors.New("the cluster has been stopped"), manager.Stop())
	}
	c.managers = append(c.managers, manager)
	return nil
}

// PID returns the number of the process.
func (m *Manager) PID() int { return m.process.pid() }

// MetricsURL returns the address of the manager's metrics.
func (m *Manager) MetricsURL() string { return m.metrics }

// HealthURL returns the address of the manager's probes, to which /healthz and /readyz are added.
func (m *Manager) HealthURL() string { return m.health }

// LogPath returns the file that gets the manager's log.
func (m *Manager) LogPath() string { return m.process.options.log }

// LogTail returns the end of the manager's log.
func (m *Manager) LogTail() string { return tail(m.process.options.log) }

// Exited is closed when the process has ended, for whatever reason.
func (m *Manager) Exited() <-chan struct{} { return m.process.exited }

// Stop asks the manager to end (SIGTERM) and waits until it has. It may be called more than once, and after Kill. The
// error says that it had to be killed.
func (m *Manager) Stop() error { return m.process.stop() }

// Kill ends the manager as a crash would (SIGKILL), and waits until it has ended.
func (m *Manager) Kill() { m.process.kill() }

// Pause stops the manager where it is (SIGSTOP), as a machine does that goes to sleep. It can be resumed, stopped and killed.
func (m *Manager) Pause() { m.process.send(syscall.SIGSTOP) }

// Resume lets a paused manager go on (SIGCONT).
func (m *Manager) Resume() { m.process.send(syscall.SIGCONT) }

// ready asks the manager itself.
func (m *Manager) ready(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.health+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// FreeAddress returns a loopback address, host and port, that was free a moment ago.
func FreeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return address, nil
}

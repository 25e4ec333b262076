// Package promserver runs a real Prometheus server on the loopback interface, for tests and for demonstrations.
package promserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// portAttempts is how often Start tries another port when somebody else took the free one first.
	portAttempts = 3
	// readyWithin is far more than the fraction of a second that a start takes on an idle machine.
	readyWithin = 60 * time.Second
	// stopWithin is how long a server may take to write its data before it is killed.
	stopWithin = 10 * time.Second
	// pollInterval is how often Start looks whether the server is ready.
	pollInterval = 50 * time.Millisecond
	// logTail is how many bytes of the log an error shows.
	logTail = 2000
)

// Options say what to run.
type Options struct {
	// Binary is the path of the Prometheus server. Empty means what Find finds.
	Binary string
	// Dir is the directory for the configuration, the data and the log. It is made when it does not exist, and left
	// behind by Stop.
	Dir string
	// ScrapeInterval is how often targets are scraped. 0 means one second.
	ScrapeInterval time.Duration
	// Targets are the host:port pairs to scrape, at /metrics over HTTP. Labels of the scraped series win over those
	// that scraping adds.
	Targets []string
	// ExtraArgs are appended to the command line, for example "--web.enable-remote-write-receiver".
	ExtraArgs []string
}

// Server is a running Prometheus.
type Server struct {
	url    string
	cancel context.CancelFunc
	exited chan struct{}
	stop   sync.Once
}

// Find returns the path of a Prometheus server: the value of the environment variable PROMETHEUS, else the prometheus
// on the PATH. It fails when there is none; a test must then fail too, not pass without having looked.
func Find() (string, error) {
	if path := os.Getenv("PROMETHEUS"); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("find the Prometheus server that PROMETHEUS names: %w", err)
		}
		return path, nil
	}
	path, err := exec.LookPath("prometheus")
	if err != nil {
		return "", fmt.Errorf("find a Prometheus server: %w: set PROMETHEUS to the path of one, or run the tests with `make test`", err)
	}
	return path, nil
}

// Start runs a server and returns when it answers queries. The server ends with Stop or when ctx is done. Its first
// scrape comes five seconds later, whatever the interval: Prometheus waits that long before it looks at its targets.
func Start(ctx context.Context, options Options) (*Server, error) {
	if options.Binary == "" {
		found, err := Find()
		if err != nil {
			return nil, err
		}
		options.Binary = found
	}
	if options.ScrapeInterval == 0 {
		options.ScrapeInterval = time.Second
	}
	if err := writeConfiguration(options); err != nil {
		return nil, err
	}
	var failures []error
	for range portAttempts {
		server, err := start(ctx, options)
		if err == nil {
			return server, nil
		}
		failures = append(failures, err)
		if !strings.Contains(err.Error(), "address already in use") {
			break
		}
	}
	return nil, errors.Join(failures...)
}

// URL returns the address of the server, without a slash at the end.
func (s *Server) URL() string { return s.url }

// Stop ends the server and waits until it has ended. It may be called more than once.
func (s *Server) Stop() {
	s.stop.Do(s.cancel)
	<-s.exited
}

func writeConfiguration(options Options) error {
	var text bytes.Buffer
	interval := options.ScrapeInterval.Milliseconds()
	fmt.Fprintf(&text, "global: {scrape_interval: %dms, scrape_timeout: %dms}\n", interval, interval)
	if len(options.Targets) > 0 {
		fmt.Fprint(&text, "scrape_configs:\n- job_name: targets\n  honor_labels: true\n  static_configs:\n  - targets:\n")
		for _, target := range options.Targets {
			fmt.Fprintf(&text, "    - %q\n", target)
		}
	}
	if err := os.MkdirAll(options.Dir, 0o755); err != nil {
		return fmt.Errorf("make the directory of the Prometheus server: %w", err)
	}
	if err := os.WriteFile(filepath.Join(options.Dir, "prometheus.yml"), text.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the configuration of the Prometheus server: %w", err)
	}
	return nil
}

// start makes one attempt on one free port.
func start(ctx context.Context, options Options) (*Server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	logPath := filepath.Join(options.Dir, "prometheus.log")
	log, err := os.Create(logPath)
	if err != nil {
		return nil, fmt.Errorf("create the log of the Prometheus server: %w", err)
	}
	running, cancel := context.WithCancel(ctx)
	command := exec.CommandContext(running, options.Binary, append([]string{
		"--config.file=" + filepath.Join(options.Dir, "prometheus.yml"),
		"--storage.tsdb.path=" + filepath.Join(options.Dir, "data"),
		"--web.listen-address=" + address,
	}, options.ExtraArgs...)...)
	command.Stdout, command.Stderr = log, log
	// A console's interrupt reaches the whole process group; the server is to end by Stop, in order.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = stopWithin
	if err := command.Start(); err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("start the Prometheus server: %w", err), log.Close())
	}
	server := &Server{url: "http://" + address, cancel: cancel, exited: make(chan struct{})}
	go func() {
		// How it ended is in the log, and awaitReady reports it when it matters.
		_ = command.Wait()
		_ = log.Close()
		close(server.exited)
	}()
	if err := server.awaitReady(ctx); err != nil {
		server.Stop()
		return nil, fmt.Errorf("start the Prometheus server: %w; its log ends with:\n%s", err, tail(logPath))
	}
	return server, nil
}

// awaitReady waits until the server answers on its port that it is ready.
func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		if s.ready(ctx) {
			return nil
		}
		select {
		case <-s.exited:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("it did not become ready: %w", ctx.Err())
		case <-ticker.C:
		}
	}
}

func (s *Server) ready(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/-/ready", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// freeAddress returns a loopback address that was free a moment ago.
func freeAddress() (string, error) {
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

// tail returns the end of the log, which says why a server did not start.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logTail):])
}

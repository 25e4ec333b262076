package cluster_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/crmops/rollout-operator/test/cluster"
)

// standInVariable makes this test binary act as a manager: it has the manager's flags, probes and signals, and nothing else.
const standInVariable = "CLUSTER_TEST_STAND_IN"

func TestMain(m *testing.M) {
	switch os.Getenv(standInVariable) {
	case "serve":
		os.Exit(serve())
	case "fail":
		fmt.Fprintln(os.Stderr, "no such flag")
		os.Exit(3)
	default:
		os.Exit(m.Run())
	}
}

// managerThat describes a manager that is this test binary in one of its roles.
func managerThat(role string) cluster.ManagerOptions {
	return cluster.ManagerOptions{Binary: os.Args[0], Name: "manager-" + role, Env: []string{standInVariable + "=" + role}}
}

func serve() int {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	flags.String("metrics-bind-address", "", "")
	health := flags.String("health-probe-bind-address", "", "")
	flags.Bool("leader-elect", true, "")
	flags.String("allow-source-hosts", "", "")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return 2
	}
	if !strings.HasPrefix(*health, "127.0.0.1:") {
		fmt.Fprintln(os.Stderr, "the probes must not be reachable from elsewhere:", *health)
		return 2
	}
	fmt.Println("KUBECONFIG=" + os.Getenv("KUBECONFIG"))
	http.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	failed := make(chan error, 1)
	go func() { failed <- http.ListenAndServe(*health, nil) }()
	select {
	case err := <-failed:
		fmt.Println(err)
		return 1
	case <-terminated:
		fmt.Println("terminated in order")
		return 0
	}
}

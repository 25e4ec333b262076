// Command manager runs the controllers of the CRM rollout operator.
package main

import (
	"fmt"
	"os"
	_ "time/tzdata" // time zones of sites, in an image that has none

	"github.com/spf13/pflag"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/crmops/rollout-operator/internal/version"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	opts, err := parse(args)
	if err != nil {
		return err
	}
	if opts.showVersion {
		fmt.Println("manager", version.Version)
		return nil
	}
	logger, err := opts.logger(os.Stderr)
	if err != nil {
		return err
	}
	ctrl.SetLogger(logger)
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("no way to the API server: %w", err)
	}
	ctx := ctrl.SetupSignalHandler()
	mgr, err := setup(ctx, config, opts)
	if err != nil {
		return err
	}
	logger.Info("Starting", "version", version.Version)
	return mgr.Start(ctx)
}

// options are what the command line says.
type options struct {
	metricsAddress, healthAddress string
	metricsSecure                 bool
	lease                         lease
	namespaces                    []string
	allowSourceHosts              []string
	logLevel, logFormat           string
	showVersion                   bool
}

func parse(args []string) (options, error) {
	var o options
	flags := pflag.NewFlagSet("manager", pflag.ContinueOnError)
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "address that serves /metrics; 0 switches it off")
	flags.BoolVar(&o.metricsSecure, "metrics-secure", false, "serve /metrics over TLS, to those whom the API server knows and lets get /metrics")
	flags.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "address that serves /healthz and /readyz; 0 switches it off")
	o.lease.declare(flags)
	flags.StringSliceVar(&o.namespaces, "namespace", nil, "namespace to look after, repeatable (default: all)")
	flags.StringSliceVar(&o.allowSourceHosts, "allow-source-hosts", nil,
		"IP addresses, CIDR ranges and host names of this machine or the API server that sources may be connected to all the same, comma-separated (default: none)")
	flags.StringVar(&o.logLevel, "log-level", "info", "debug, info or error")
	flags.StringVar(&o.logFormat, "log-format", "json", "json or text")
	flags.BoolVar(&o.showVersion, "version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	if err := o.lease.validate(); err != nil {
		return o, err
	}
	_, err := o.guard("")
	return o, err
}

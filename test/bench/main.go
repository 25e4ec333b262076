// Command bench shows what the operator costs while nothing happens, which is nearly always: a real control plane, the real
// manager, a Prometheus that counts, and hundreds of sites that wait at the gate of their phase, each judged by three KPIs.
//
// It counts queries, writes to the API server and reconciles, and reads the CPU time and the memory of the manager's
// process, at one number of sites and again at twice as many; once with values that stay and once with values that differ
// at every measurement. It fails when queries are not one per KPI and interval or when writes grow beyond a bound per KPI
// and interval: both are counts, and no time decides anything.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// fewestIntervals is how many intervals a period has at least: fewer say nothing about an interval.
const fewestIntervals = 3

// options are what the command line says.
type options struct {
	// sites of the first size; the second has twice as many.
	sites int
	// quiet is the length of the first period, the one with values that stay at the first number of sites.
	quiet time.Duration
	// rest is the length of each other period.
	rest time.Duration
}

func main() {
	// The libraries below log through this; what they say of interest comes back as errors.
	ctrllog.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	opts, err := parse(os.Args[1:], os.Getenv("QUIET"))
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(ctx, opts)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// parse reads the command line. quiet is the length of the first period for who cannot give flags; empty means five minutes.
func parse(args []string, quiet string) (options, error) {
	o := options{quiet: 5 * time.Minute}
	if quiet != "" {
		length, err := time.ParseDuration(quiet)
		if err != nil {
			return o, fmt.Errorf("read QUIET: %w", err)
		}
		o.quiet = length
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.sites, "sites", 200, "number of sites; then twice as many")
	flags.DurationVar(&o.quiet, "quiet", o.quiet, "length of the first period; the environment variable QUIET says the same")
	flags.DurationVar(&o.rest, "rest", time.Minute, "length of each of the other three periods")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch least := fewestIntervals * interval; {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unknown argument %q", flags.Arg(0))
	case o.sites < 2:
		return o, errors.New("-sites must be at least 2: one that is held and one that proves")
	case o.quiet < least || o.rest < least:
		return o, fmt.Errorf("-quiet and -rest must be at least %s, %d intervals of a KPI", least, fewestIntervals)
	}
	return o, nil
}

func run(ctx context.Context, o options) error {
	var all []cost
	for _, size := range []struct {
		sites        int
		quiet, noisy time.Duration
	}{{o.sites, o.quiet, o.rest}, {2 * o.sites, o.rest, o.rest}} {
		costs, err := measureSize(ctx, size.sites, size.quiet, size.noisy)
		if err != nil {
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			return err
		}
		all = append(all, costs...)
	}
	fmt.Print("\n", table(all), "\n")
	claims := judge(all)
	broken := 0
	for _, claim := range claims {
		fmt.Println(claim)
		if !claim.holds {
			broken++
		}
	}
	for _, line := range growth(all) {
		fmt.Println(line)
	}
	if broken > 0 {
		return fmt.Errorf("%d of %d claims do not hold", broken, len(claims))
	}
	return nil
}

// measureSize measures both kinds of time with one number of sites: with values that stay, then with values that differ.
func measureSize(ctx context.Context, sites int, quiet, noisy time.Duration) (costs []cost, failed error) {
	dir, err := os.MkdirTemp("", "crm-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	stage := &stage{dir: dir, programme: newProgramme(sites)}
	defer func() {
		if failed != nil && stage.manager != nil {
			failed = fmt.Errorf("%w; the manager's log ends with:\n%s", failed, stage.manager.LogTail())
		}
		failed = errors.Join(failed, stage.strike(), os.RemoveAll(dir))
	}()
	say("%d sites: starting the control plane and the manager", sites)
	if err := stage.set(ctx); err != nil {
		return nil, err
	}
	for _, period := range []struct {
		name   string
		values values
		length time.Duration
	}{{"quiet", steady, quiet}, {"noisy", wiggling, noisy}} {
		stage.answer(period.values)
		if err := stage.settle(ctx); err != nil {
			return nil, err
		}
		say("%d sites: measuring %s with %s", sites, period.length, period.values)
		measured, err := stage.measure(ctx, period.length)
		if err != nil {
			return nil, err
		}
		measured.name = period.name
		costs = append(costs, measured)
	}
	return costs, nil
}

// say tells what goes on, apart from the result.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

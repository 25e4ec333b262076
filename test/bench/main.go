// Command bench shows what the operator costs while nothing happens, which is nearly always: a real control plane, the real
// manager, a Prometheus that counts, and hundreds of sites that wait at the gate of their phase.
//
// It counts queries, writes to the API server and reconciles, and reads the CPU time and the memory of the manager's
// process, with three KPIs at one number of sites and again at twice as many, once with values that stay and once with values that differ
// at every measurement; and with ten KPIs at a thousand sites, which begin their phase together and take baselines for it. Before that it judges a
// thousand sites by ten criteria in its own process, and shows what one verdict costs.
//
// It fails when queries are not one per KPI and interval, when baselines take more than one query and a second one for a control group, when writes grow beyond a bound
// per KPI and interval, or when verdicts were not about values: all are counts, and no time decides anything.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// fewestIntervals is how many intervals a period has at least: fewer say nothing about an interval.
const fewestIntervals = 3

// The parts of the benchmark.
const (
	partVerdicts = "verdicts"
	partWaiting  = "waiting"
	partGates    = "gates"
)

// options are what the command line says.
type options struct {
	// part to run; empty for all.
	part string
	// sites of the first size; the second has twice as many.
	sites int
	// gated is the number of sites that are judged by ten criteria.
	gated int
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
	flags.StringVar(&o.part, "part", "", "the only part to run: verdicts, waiting or gates")
	flags.IntVar(&o.sites, "sites", 200, "number of sites with three KPIs; then twice as many")
	flags.IntVar(&o.gated, "gated", 1000, "number of sites with ten KPIs")
	flags.DurationVar(&o.quiet, "quiet", o.quiet, "length of the first period; the environment variable QUIET says the same")
	flags.DurationVar(&o.rest, "rest", time.Minute, "length of each of the other three periods")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch least := fewestIntervals * often; {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unknown argument %q", flags.Arg(0))
	case !slices.Contains([]string{"", partVerdicts, partWaiting, partGates}, o.part):
		return o, fmt.Errorf("-part %q is none of verdicts, waiting and gates", o.part)
	case o.gated < 1:
		return o, errors.New("-gated must be at least 1")
	case o.sites < 2:
		return o, errors.New("-sites must be at least 2: one that is held and one that proves")
	case o.quiet < least || o.rest < least:
		return o, fmt.Errorf("-quiet and -rest must be at least %s, %d intervals of a KPI", least, fewestIntervals)
	}
	return o, nil
}

func run(ctx context.Context, o options) error {
	result, err := measureParts(ctx, o)
	if err != nil {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		return err
	}
	fmt.Print(result.text)
	claims := result.claims
	if len(result.costs) > 0 {
		fmt.Print("\n", table(result.costs))
		claims = append(claims, judge(result.costs)...)
	}
	fmt.Println()
	broken := 0
	for _, claim := range claims {
		fmt.Println(claim)
		if !claim.holds {
			broken++
		}
	}
	for _, line := range growth(result.costs) {
		fmt.Println(line)
	}
	if broken > 0 {
		return fmt.Errorf("%d of %d claims do not hold", broken, len(claims))
	}
	return nil
}

// result is what all parts brought.
type result struct {
	text   string
	claims []claim
	costs  []cost
}

func measureParts(ctx context.Context, o options) (result, error) {
	var all result
	if o.part == "" || o.part == partVerdicts {
		say("judging %d sites by ten criteria in this process", o.gated)
		verdicts, err := measureVerdicts(newFullProgramme(o.gated))
		if err != nil {
			return all, err
		}
		all.text, all.claims = verdictTables(verdicts), judgeVerdicts(verdicts)
	}
	quiet := period{"quiet", steady, o.quiet}
	noisy := period{"noisy", wiggling, o.rest}
	if o.part == "" || o.part == partWaiting {
		first, err := measureStage(ctx, newProgramme(o.sites), quiet, noisy)
		if err != nil {
			return all, err
		}
		quiet.length = o.rest
		second, err := measureStage(ctx, newProgramme(2*o.sites), quiet, noisy)
		if err != nil {
			return all, err
		}
		all.costs = append(all.costs, slices.Concat(first.costs, second.costs)...)
	}
	if o.part == "" || o.part == partGates {
		gated, err := measureStage(ctx, newFullProgramme(o.gated), period{"full gate", wiggling, fewestIntervals * rarely})
		if err != nil {
			return all, err
		}
		all.claims, all.costs = append(all.claims, gated.claims...), append(all.costs, gated.costs...)
	}
	return all, nil
}

// period is a time in which costs are counted.
type period struct {
	name   string
	values values
	length time.Duration
}

// measureStage measures periods of one programme, one after the other.
func measureStage(ctx context.Context, p programme, periods ...period) (all result, failed error) {
	dir, err := os.MkdirTemp("", "crm-bench-")
	if err != nil {
		return all, fmt.Errorf("make a directory: %w", err)
	}
	stage := &stage{dir: dir, programme: p}
	defer func() {
		if failed != nil && stage.manager != nil {
			failed = fmt.Errorf("%w; the manager's log ends with:\n%s", failed, stage.manager.LogTail())
		}
		failed = errors.Join(failed, stage.strike(), os.RemoveAll(dir))
	}()
	say("%d sites: starting the control plane and the manager", len(p.sites))
	if err := stage.set(ctx); err != nil {
		return all, err
	}
	if p.together {
		say("%d sites: joining, and beginning their phase together", len(p.sites))
		if err := stage.begin(ctx); err != nil {
			return all, err
		}
	}
	for _, period := range periods {
		stage.answer(period.values)
		if err := stage.settle(ctx); err != nil {
			return all, err
		}
		say("%d sites: measuring %s with %s", len(p.sites), period.length, period.values)
		measured, err := stage.measure(ctx, period.length)
		if err != nil {
			return all, err
		}
		measured.name = period.name
		all.costs = append(all.costs, measured)
	}
	if p.together {
		began, err := stage.began(ctx)
		if err != nil {
			return all, err
		}
		all.claims = append(all.claims, began.claim())
	}
	return all, nil
}

// say tells what goes on, apart from the result.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

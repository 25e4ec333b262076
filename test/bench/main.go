// Command bench shows what the operator costs while nothing happens, which is nearly always: a real control plane, the real
// manager, a Prometheus that counts, and hundreds of sites that wait at the gate of their phase.
//
// It counts queries, writes to the API server and reconciles, and reads the CPU time and the memory of the manager's
// process, with three KPIs at one number of sites and again at twice as many, once with values that stay and once with values that differ
// at every measurement; and with ten KPIs at a thousand sites, which begin their phase together and take baselines for it. Before that it judges a
// thousand sites by ten criteria in its own process, and shows what one verdict costs.
//
// What it costs when much happens it shows too: a thousand sites that go through seven phases, beside the same writes and nothing else; ten thousand sites that are
// admitted in one wave; and ten thousand that have completed.
//
// It fails when queries are not one per KPI and interval, when baselines take more than one query and a second one for a control group, when writes grow beyond a bound
// per KPI and interval, when there are writes though all have completed, or when verdicts were not about values. These are counts. Two times decide as well: how often a course takes the
// time of its writes alone, both measured in the same run, and the share of a core that completed sites cost.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
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
	partMoves    = "moves"
	partWave     = "wave"
	// partCompleted is about sites that have completed.
	partCompleted = "completed"
)

// options are what the command line says.
type options struct {
	// part to run; empty for all.
	part string
	// sites of the first size; the second has twice as many.
	sites int
	// gated is the number of sites that are judged by ten criteria.
	gated int
	// moving is the number of sites that go through all phases, and many of those that are admitted in one wave, or have completed.
	moving, many int
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
	flags.StringVar(&o.part, "part", "", "the only part to run: "+strings.Join(partNames(), ", "))
	flags.IntVar(&o.sites, "sites", 200, "number of sites with three KPIs; then twice as many")
	flags.IntVar(&o.gated, "gated", 1000, "number of sites with ten KPIs")
	flags.IntVar(&o.moving, "moving", 1000, "number of sites that go through seven phases")
	flags.IntVar(&o.many, "many", 10000, "number of sites that are admitted in one wave, and of sites that have completed")
	flags.DurationVar(&o.quiet, "quiet", o.quiet, "length of the first period, and of the one with completed sites; the environment variable QUIET says the same")
	flags.DurationVar(&o.rest, "rest", time.Minute, "length of each of the other three periods")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	return o, o.check()
}

// check finds options that cannot be measured.
func (o options) check() error {
	switch least := fewestIntervals * often; {
	case o.part != "" && !slices.Contains(partNames(), o.part):
		return fmt.Errorf("-part %q is none of %s", o.part, strings.Join(partNames(), ", "))
	case o.gated < 1 || o.moving < 1 || o.many < 1:
		return errors.New("-gated, -moving and -many must be at least 1")
	case o.sites < 2:
		return errors.New("-sites must be at least 2: one that is held and one that proves")
	case o.quiet < least || o.rest < least:
		return fmt.Errorf("-quiet and -rest must be at least %s, %d intervals of a KPI", least, fewestIntervals)
	}
	return nil
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

// part is one of the parts of the benchmark.
type part struct {
	name    string
	measure func(context.Context, options) (result, error)
}

// parts in the order in which they run.
func parts() []part {
	return []part{
		{partVerdicts, verdictsPart}, {partWaiting, waitingPart}, {partGates, gatesPart}, {partMoves, movesPart}, {partWave, wavePart}, {partCompleted, completedPart},
	}
}

func partNames() []string {
	var names []string
	for _, one := range parts() {
		names = append(names, one.name)
	}
	return names
}

func measureParts(ctx context.Context, o options) (result, error) {
	var all result
	for _, one := range parts() {
		if o.part != "" && o.part != one.name {
			continue
		}
		brought, err := one.measure(ctx, o)
		if err != nil {
			return all, err
		}
		all.text += brought.text
		all.claims = append(all.claims, brought.claims...)
		all.costs = append(all.costs, brought.costs...)
	}
	return all, nil
}

func verdictsPart(_ context.Context, o options) (result, error) {
	say("judging %d sites by ten criteria in this process", o.gated)
	verdicts, err := measureVerdicts(newFullProgramme(o.gated))
	if err != nil {
		return result{}, err
	}
	return result{text: verdictTables(verdicts), claims: judgeVerdicts(verdicts)}, nil
}

func waitingPart(ctx context.Context, o options) (result, error) {
	quiet, noisy := period{"quiet", steady, o.quiet}, period{"noisy", wiggling, o.rest}
	first, err := measureStage(ctx, newProgramme(o.sites), quiet, noisy)
	if err != nil {
		return first, err
	}
	quiet.length = o.rest
	second, err := measureStage(ctx, newProgramme(2*o.sites), quiet, noisy)
	return result{costs: slices.Concat(first.costs, second.costs)}, err
}

func gatesPart(ctx context.Context, o options) (result, error) {
	return measureStage(ctx, newFullProgramme(o.gated), period{"full gate", wiggling, fewestIntervals * rarely})
}

func movesPart(ctx context.Context, o options) (result, error) {
	m, err := measureMoves(ctx, newCourse(o.moving, coursePhases))
	if err != nil {
		return result{}, err
	}
	return result{text: movesTable(m), claims: m.claims()}, nil
}

func wavePart(ctx context.Context, o options) (result, error) {
	w, err := measureWave(ctx, newWave(o.many))
	if err != nil {
		return result{}, err
	}
	return result{text: waveTable(w), claims: w.claims()}, nil
}

func completedPart(ctx context.Context, o options) (result, error) {
	c, err := measureCompleted(ctx, o.many, o.quiet)
	if err != nil {
		return result{}, err
	}
	return result{text: completedTable(c), claims: completedClaims(c)}, nil
}

// period is a time in which costs are counted.
type period struct {
	name   string
	values values
	length time.Duration
}

// onStage sets a stage for a programme, does something on it, and strikes it.
func onStage(ctx context.Context, p programme, do func(context.Context, *stage) error) (failed error) {
	dir, err := os.MkdirTemp("", "crm-bench-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
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
		return err
	}
	return do(ctx, stage)
}

// measureStage measures periods of one programme, one after the other.
func measureStage(ctx context.Context, p programme, periods ...period) (result, error) {
	var all result
	err := onStage(ctx, p, func(ctx context.Context, stage *stage) error {
		if p.together {
			say("%d sites: joining, and beginning their phase together", len(p.sites))
			if err := stage.begin(ctx); err != nil {
				return err
			}
		}
		for _, period := range periods {
			stage.answer(period.values)
			if err := stage.settle(ctx); err != nil {
				return err
			}
			say("%d sites: measuring %s with %s", len(p.sites), period.length, period.values)
			measured, err := stage.measure(ctx, period.length)
			if err != nil {
				return err
			}
			measured.name = period.name
			all.costs = append(all.costs, measured)
		}
		if p.together {
			began, err := stage.began(ctx)
			if err != nil {
				return err
			}
			all.claims = append(all.claims, began.claim())
		}
		return nil
	})
	return all, err
}

// say tells what goes on, apart from the result.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

package main

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

// rounds is how often every site is judged for each figure.
const rounds = 3

// spent is what verdicts cost: CPU time of this process on one core, and memory.
type spent struct {
	verdicts      int
	cpu           time.Duration
	bytes, allocs uint64
}

// rate is the number of verdicts per second of CPU time.
func (s spent) rate() float64 { return ratio(float64(s.verdicts), s.cpu.Seconds()) }

func (s spent) each() time.Duration {
	return time.Duration(ratio(float64(s.cpu), float64(s.verdicts)))
}

func (s spent) bytesEach() float64  { return ratio(float64(s.bytes), float64(s.verdicts)) }
func (s spent) allocsEach() float64 { return ratio(float64(s.allocs), float64(s.verdicts)) }

// work is what the verdicts of one kind, or of the whole gate, cost.
type work struct {
	name string
	// criteria that each site is judged by.
	criteria int
	// newer is the cost when every KPI was measured since the last look, same when none was.
	newer, same spent
	// report and evidence are the bytes of JSON per verdict, in the status of a site.
	report, evidence float64
}

// verdicts is what judging many sites costs.
type verdicts struct {
	sites int
	// steps are whole looks at a site, with the status that is written; judging is the gate package alone; kinds are its parts.
	steps, judging work
	kinds          []work
	// largest is the largest status of a site in bytes of JSON, and frozen the part of it that baselines take.
	largest, frozen int
	// reasons of all verdicts of the last look, by how often each was given.
	reasons map[string]int
}

// measureVerdicts judges every site of a programme again and again.
func measureVerdicts(p programme) (verdicts, error) {
	c, err := newCourt(p)
	if err != nil {
		return verdicts{}, err
	}
	// Also what clears up memory runs on the one core then.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	all := verdicts{sites: len(c.cases), reasons: map[string]int{}}
	all.steps = work{name: "a look at a site: all its verdicts, and its status", criteria: len(p.measured)}
	all.judging = work{name: "judging alone", criteria: len(p.measured)}
	for _, kind := range kindsOfCriteria() {
		all.kinds = append(all.kinds, work{name: kind, criteria: len(c.ofKind(kind).Criteria)})
	}
	c.everyone(c.step) // what the measurements before brought has been seen now
	for range rounds {
		c.measure()
		// Judging alone leaves holds as they are, so the measurement is new until the looks at the sites.
		if err := c.spend(&all, func(w *work) *spent { return &w.newer }); err != nil {
			return verdicts{}, err
		}
		if err := c.spend(&all, func(w *work) *spent { return &w.same }); err != nil {
			return verdicts{}, err
		}
	}
	c.write(&all)
	return all, nil
}

func (c *court) everyone(look func(*siteCase)) {
	for _, one := range c.cases {
		look(one)
	}
}

// spend judges all sites by each kind of criteria, by the whole gate, and then takes a whole look at each.
func (c *court) spend(all *verdicts, of func(*work) *spent) error {
	for i := range all.kinds {
		kind := &all.kinds[i]
		g := c.ofKind(kind.name)
		if err := of(kind).add(len(c.cases)*kind.criteria, func() { c.everyone(func(one *siteCase) { c.judge(one, g) }) }); err != nil {
			return err
		}
	}
	g := c.gate()
	if err := of(&all.judging).add(len(c.cases)*all.judging.criteria, func() { c.everyone(func(one *siteCase) { c.judge(one, g) }) }); err != nil {
		return err
	}
	return of(&all.steps).add(len(c.cases)*all.steps.criteria, func() { c.everyone(c.step) })
}

// write notes what verdicts take in the status of a site.
func (c *court) write(all *verdicts) {
	all.judging.report, all.judging.evidence = c.written(c.gate())
	for i := range all.kinds {
		kind := &all.kinds[i]
		kind.report, kind.evidence = c.written(c.ofKind(kind.name))
	}
	for _, one := range c.cases {
		all.largest = max(all.largest, size(one.status))
		all.frozen = max(all.frozen, size(one.status.Phases[0].Baselines))
		for _, criterion := range one.status.Gate.Criteria {
			all.reasons[criterion.Reason]++
		}
	}
}

// add adds what some verdicts cost.
func (s *spent) add(verdicts int, f func()) error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	started, err := ownCPU()
	if err != nil {
		return err
	}
	f()
	ended, err := ownCPU()
	if err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	s.verdicts += verdicts
	s.cpu += ended - started
	s.bytes += after.TotalAlloc - before.TotalAlloc
	s.allocs += after.Mallocs - before.Mallocs
	return nil
}

// ownCPU is the CPU time of this process. Other processes do not change it, however busy the machine is.
func ownCPU() (time.Duration, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0, fmt.Errorf("read the CPU time of this process: %w", err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), nil
}

// written returns the bytes of JSON per verdict, over all sites: in the report while a phase runs, and in the evidence that a passed phase keeps.
func (c *court) written(g gate.Gate) (report, evidence float64) {
	var reports, kept, reportBytes, keptBytes int
	for _, one := range c.cases {
		for _, r := range c.judge(one, g).Report(g, crmv1.GateRoleExit).Criteria {
			reports, reportBytes = reports+1, reportBytes+size(r)
		}
		for _, e := range c.judge(one, atOnce(g)).Evidence() {
			kept, keptBytes = kept+1, keptBytes+size(e)
		}
	}
	return ratio(float64(reportBytes), float64(reports)), ratio(float64(keptBytes), float64(kept))
}

// judgeVerdicts compares what was counted with what is promised.
func judgeVerdicts(v verdicts) []claim {
	const statusBound = 64 << 10
	about := claim{what: fmt.Sprintf("verdicts were about values: %s (must be %s, %s and %s only)", counts(v.reasons), crmv1.ReasonHolding, crmv1.ReasonKept, crmv1.ReasonMet), holds: len(v.reasons) > 0}
	for reason := range v.reasons {
		switch reason {
		case crmv1.ReasonMet, crmv1.ReasonHolding, crmv1.ReasonKept:
		default:
			about.holds = false
		}
	}
	return []claim{about, {
		what:  fmt.Sprintf("status of a site with %d criteria: %d bytes, %d of them baselines (claim: less than %d)", v.steps.criteria, v.largest, v.frozen, statusBound),
		holds: v.largest > 0 && v.largest < statusBound,
	}}
}

func counts(reasons map[string]int) string {
	var words []string
	for _, reason := range sortedKeys(reasons) {
		words = append(words, fmt.Sprintf("%s %d", reason, reasons[reason]))
	}
	return strings.Join(words, ", ")
}

func sortedKeys[V any](m map[string]V) []string {
	set := map[string]bool{}
	for key := range m {
		set[key] = true
	}
	return sortedBy(set, func(key string) string { return key })
}

// plain returns what the other kinds are compared with.
func (v verdicts) plain() (work, error) {
	for _, kind := range v.kinds {
		if kind.name == byValue {
			return kind, nil
		}
	}
	return work{}, errors.New("no criterion is about a value")
}

// verdictTables shows what verdicts cost: of whole gates, and by kind as ratios.
func verdictTables(v verdicts) string {
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, "\n%d sites x %d criteria, one core: a new measurement of each KPI since the last look | nothing new\n", v.sites, v.steps.criteria) // a strings.Builder never fails
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', tabwriter.AlignRight)
	line := func(cells ...string) { _, _ = fmt.Fprintln(table, strings.Join(cells, "\t")+"\t") }
	line("", "verdicts/s", "each", "bytes", "allocations", "|", "verdicts/s", "each", "bytes", "allocations")
	for _, w := range []work{v.steps, v.judging} {
		line(append([]string{w.name}, append(w.newer.cells(), append([]string{"|"}, w.same.cells()...)...)...)...)
	}
	_ = table.Flush()
	text.WriteString("\njudging alone, by kind of criterion; CPU as a ratio to a plain value; JSON bytes in the status of a site\n")
	line("", "criteria", "CPU", "bytes", "allocations", "|", "CPU", "bytes", "allocations", "|", "report", "evidence")
	plain, err := v.plain()
	if err != nil {
		return text.String()
	}
	for _, w := range append([]work{v.judging}, v.kinds...) {
		line(w.name, fmt.Sprint(w.criteria), times(w.newer, plain.newer), whole(w.newer.bytesEach()), whole(w.newer.allocsEach()), "|",
			times(w.same, plain.same), whole(w.same.bytesEach()), whole(w.same.allocsEach()), "|", whole(w.report), whole(w.evidence))
	}
	_ = table.Flush()
	return text.String()
}

func (s spent) cells() []string {
	return []string{whole(s.rate()), s.each().Round(10 * time.Nanosecond).String(), whole(s.bytesEach()), whole(s.allocsEach())}
}

func times(s, plain spent) string {
	return fmt.Sprintf("x%.1f", ratio(float64(s.each()), float64(plain.each())))
}

func whole(x float64) string { return fmt.Sprintf("%.0f", x) }

package measure

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/crmops/rollout-operator/internal/gate"
)

// Captures are the values that baselines are taken from. A site that is about to start a phase asks for them, whoever measures the KPI puts them here, and every other
// site that starts at about that time takes its baseline from the same measurement. Nothing here outlives the process: what a site has taken is in its status, and what it
// has not taken it asks for again. It is safe for concurrent use.
type Captures struct {
	mu      sync.Mutex
	asked   map[types.NamespacedName]map[Ask]bool
	taken   map[types.NamespacedName]map[Ask]gate.Capture
	onAsk   []func(kpi types.NamespacedName)
	onTaken []func(kpi types.NamespacedName)
}

// Ask says what to capture.
type Ask struct {
	// Revision of the KPI over the window of the baseline.
	Revision string
	// Window of the baseline.
	Window time.Duration
	// PreTrend is how long before now another window ends of which values are captured; zero for none.
	PreTrend time.Duration
}

// keptCapture is how long values are kept that nobody took. It is longer than any baseline may be old.
const keptCapture = time.Hour

// NewCaptures returns an empty Captures.
func NewCaptures() *Captures {
	return &Captures{asked: map[types.NamespacedName]map[Ask]bool{}, taken: map[types.NamespacedName]map[Ask]gate.Capture{}}
}

// OnAsk registers a function that is called when a KPI is asked for. It must be called before the Captures are used.
func (c *Captures) OnAsk(f func(kpi types.NamespacedName)) { c.onAsk = append(c.onAsk, f) }

// OnTaken registers a function that is called when what was asked for is there. It must be called before the Captures are used.
func (c *Captures) OnTaken(f func(kpi types.NamespacedName)) { c.onTaken = append(c.onTaken, f) }

// Ask asks for values of a KPI. Asking for what has been asked for changes nothing.
func (c *Captures) Ask(kpi types.NamespacedName, wanted Ask) {
	if c.ask(kpi, wanted) {
		for _, f := range c.onAsk {
			f(kpi)
		}
	}
}

func (c *Captures) ask(kpi types.NamespacedName, wanted Ask) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked[kpi][wanted] {
		return false
	}
	if c.asked[kpi] == nil {
		c.asked[kpi] = map[Ask]bool{}
	}
	c.asked[kpi][wanted] = true
	return true
}

// Asked returns what has been asked for and is not there yet.
func (c *Captures) Asked(kpi types.NamespacedName) []Ask {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Ask
	for wanted := range c.asked[kpi] {
		all = append(all, wanted)
	}
	return all
}

// Put brings what was asked for, or why it could not be measured. What is old is forgotten.
func (c *Captures) Put(kpi types.NamespacedName, wanted Ask, capture gate.Capture) {
	c.put(kpi, wanted, capture)
	for _, f := range c.onTaken {
		f(kpi)
	}
}

func (c *Captures) put(kpi types.NamespacedName, wanted Ask, capture gate.Capture) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if delete(c.asked[kpi], wanted); len(c.asked[kpi]) == 0 {
		delete(c.asked, kpi)
	}
	if c.taken[kpi] == nil {
		c.taken[kpi] = map[Ask]gate.Capture{}
	}
	c.taken[kpi][wanted] = capture
	for other, old := range c.taken[kpi] {
		if capture.At.Sub(old.At) > keptCapture {
			delete(c.taken[kpi], other)
		}
	}
}

// Latest returns the values that were captured last, and false when there are none.
func (c *Captures) Latest(kpi types.NamespacedName, wanted Ask) (gate.Capture, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	capture, found := c.taken[kpi][wanted]
	return capture, found
}

// Forget drops a KPI that was deleted, with what was asked of it.
func (c *Captures) Forget(kpi types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.asked, kpi)
	delete(c.taken, kpi)
}

// CrossSection returns the finite values of a measurement, of sites that have one each.
func (m Measurement) CrossSection() gate.CrossSection {
	all := gate.CrossSection{Values: map[string]gate.Sample{}, IDs: m.IDs}
	for site, sample := range m.Values {
		if m.outcome(site) == gate.OutcomeValue {
			all.Values[site] = sample
		}
	}
	return all
}

package calendar

import (
	"sync"
	"time"
)

// written is a rule as it stands in a spec, and the start of its window.
type written struct {
	text  string
	start time.Time
}

// reading is what became of it.
type reading struct {
	rule  *rule
	fault *fault
}

// memory keeps rules that were read. What is read depends on nothing but the text, so it does not matter who asks, or whether something was forgotten.
type memory struct {
	mu    sync.Mutex
	known map[written]reading
}

// mostRemembered bounds the memory: a calendar has at most 96 windows.
const mostRemembered = 4096

var parsed memory

// of reads a rule, or remembers it.
func (m *memory) of(w written) reading {
	m.mu.Lock()
	found, ok := m.known[w]
	m.mu.Unlock()
	if ok {
		return found
	}
	found.rule, found.fault = readRule(w.text, w.start)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= mostRemembered {
		m.known = map[written]reading{}
	}
	m.known[w] = found
	return found
}

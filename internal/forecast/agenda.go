package forecast

import (
	"cmp"
	"container/heap"
	"time"
)

// kind is what an event does.
type kind int

const (
	// slotFree: a site has passed its last phase.
	slotFree kind = iota
	// farEnough: a site has come far enough for the barrier in front of the wave.
	farEnough
	// waveOpens: sites of the wave may begin.
	waveOpens
)

// event is something that will happen.
type event struct {
	at   time.Duration
	kind kind
	wave int
}

// agenda has the next event first. It is a heap.
type agenda []event

// Len implements heap.Interface.
func (a agenda) Len() int { return len(a) }

// Less implements heap.Interface.
func (a agenda) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(a[i].at, a[j].at), cmp.Compare(a[i].kind, a[j].kind), cmp.Compare(a[i].wave, a[j].wave)) < 0
}

// Swap implements heap.Interface.
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

// Push implements heap.Interface.
func (a *agenda) Push(e any) { *a = append(*a, e.(event)) }

// Pop implements heap.Interface.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	*a = (*a)[:last]
	return e
}

// note puts down what will happen. What nobody knows the time of never does.
func (p *play) note(e event) {
	if e.at < forever {
		heap.Push(&p.agenda, e)
	}
}

// Package provider asks the sources that KPI numbers come from.
//
// There is one primitive, Measure: a query and a window go in, at most one sample per site comes out. Providers know
// nothing about rollouts, gates or Kubernetes, and they never judge a number: NaN, infinities, gaps and contradictions
// are handed on as they are, so that the rules (which may do no I/O) can decide. What a provider must never do is
// invent a number, so an answer that cannot be read completely is an error and not a smaller answer.
package provider

import (
	"context"
	"strings"
	"time"
)

// Window is the stretch of time a measurement speaks about: (Start, End]. Start == End is an instant.
type Window struct {
	// Start is excluded from the window.
	Start time.Time
	// End is included in the window. It must be set.
	End time.Time
}

// Query says what to ask. Exactly one of SiteLabel and Site is set.
type Query struct {
	// Expression is in the source's own language, already rendered for the window and the site.
	Expression string
	// SiteLabel is the label (or column) whose value names the site, for a query that answers for all sites at once.
	SiteLabel string
	// Site is the site that the one value of a per-site query belongs to.
	Site string
	// Name is the name of the KPI that asks, for sources whose numbers are filed under it. Others ignore it.
	Name string
}

// Sample is one number for one site.
type Sample struct {
	// Site names the site, exactly as the source does.
	Site string
	// Value may be NaN or infinite: the gate decides what that means.
	Value float64
	// Time is the end of the window that the value speaks about, as the source reports it. It is never later than
	// one second after the window that was asked for, and may be earlier when the source answers from a cache.
	Time time.Time
	// Samples is the number of observations that the value was made of; 0 when the source does not tell.
	Samples int64
}

// Answer is everything a source said to one query.
type Answer struct {
	// Samples are sorted by site, at most one per site.
	Samples []Sample
	// Ambiguous are the sites for which the source gave more than one value, sorted. None of them is in Samples.
	Ambiguous []string
	// Unlabelled is the number of rows that name no site. They are dropped.
	Unlabelled int
}

// Provider is an open source of numbers. It is safe for concurrent use.
type Provider interface {
	// Measure asks once. Every error it returns is an *Error.
	Measure(ctx context.Context, q Query, w Window) (Answer, error)
	// Close refuses further measurements and releases the connections once the running measurements have ended,
	// without waiting for them. It may be called more than once.
	Close()
}

// validate finds requests that no source could answer, so that each source need not.
func validate(q Query, w Window) error {
	switch {
	case strings.TrimSpace(q.Expression) == "":
		return newError(InvalidConfiguration, nil, "the query is empty: write an expression in the language of the source")
	case (q.SiteLabel == "") == (q.Site == ""):
		return newError(InvalidConfiguration, nil,
			"the query needs either a site label (one answer for all sites) or a site (one answer for that site)")
	case w.End.IsZero():
		return newError(InvalidConfiguration, nil, "the window has no end")
	case w.Start.After(w.End):
		return newError(InvalidConfiguration, nil, "the window ends before it starts")
	}
	return nil
}

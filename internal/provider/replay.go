package provider

import (
	"context"
	"time"
)

// Replayer is a provider that can measure several moments in fewer queries than one for each.
type Replayer interface {
	// Replay returns one answer for each window, in their order, equal to what Measure returns for it. It fails as a
	// whole. Every error it returns is an *Error.
	Replay(ctx context.Context, q Query, windows []Window) ([]Answer, error)
}

// Replay measures several windows with one query: at once where the provider can, else one after the other.
func Replay(ctx context.Context, p Provider, q Query, windows []Window) ([]Answer, error) {
	if able, ok := p.(Replayer); ok {
		return able.Replay(ctx, q, windows)
	}
	return oneByOne(ctx, p, q, windows)
}

func oneByOne(ctx context.Context, p Provider, q Query, windows []Window) ([]Answer, error) {
	answers := make([]Answer, 0, len(windows))
	for _, w := range windows {
		answer, err := p.Measure(ctx, q, w)
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

// spanSource is a source that answers for several evenly spaced moments with one query of its own.
type spanSource interface {
	// measureSpan returns one answer for each window, in their order. When it cannot vouch for being equal to Measure it
	// fails with a reason that isDoubt knows.
	measureSpan(ctx context.Context, q Query, windows []Window) ([]Answer, error)
}

// Replay asks for all windows at once when the source can, which counts as one query; else each of them counts.
func (l *limitedSource) Replay(ctx context.Context, q Query, windows []Window) ([]Answer, error) {
	span, able := l.source.(spanSource)
	if _, even := spacing(windows); !able || !even {
		return oneByOne(ctx, l, q, windows)
	}
	var answers []Answer
	err := l.inTurn(ctx, q, func() (err error) {
		answers, err = span.measureSpan(ctx, q, windows)
		return err
	})
	if isDoubt(ReasonOf(err)) {
		return oneByOne(ctx, l, q, windows)
	}
	return answers, err
}

// Replay asks the key's current provider.
func (b *borrowed) Replay(ctx context.Context, q Query, windows []Window) ([]Answer, error) {
	current := b.registry.enter(b.key)
	if current == nil {
		return nil, b.gone()
	}
	defer current.users.leave()
	return Replay(ctx, current.provider, q, windows)
}

// isDoubt reports whether a failure may come from asking for many moments at once, so that asking for each of them can succeed.
func isDoubt(reason Reason) bool {
	switch reason {
	case QueryRejected, InvalidResponse, PartialAnswer, ResponseTooLarge, Timeout:
		return true
	}
	return false
}

// maxSpan is how many moments one query may ask for; Prometheus allows 11,000.
const maxSpan = 1000

// spacing returns the time between the ends of windows when it is the same between all of them, in whole milliseconds.
func spacing(windows []Window) (time.Duration, bool) {
	if len(windows) < 2 || len(windows) > maxSpan {
		return 0, false
	}
	step := windows[1].End.Sub(windows[0].End)
	for i, w := range windows[1:] {
		if w.End.Sub(windows[i].End) != step {
			return 0, false
		}
	}
	return step, step > 0 && step%time.Millisecond == 0
}

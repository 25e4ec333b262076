package gate

import "fmt"

// AgainstNothing compares the value itself.
type AgainstNothing struct{}

func (AgainstNothing) missing(Criterion, Facts) (reason, message string) { return "", "" }

func (AgainstNothing) usable(_ Criterion, samples []Sample, _ Facts) []Sample { return samples }

func (AgainstNothing) compare(c Criterion, s Sample, _ Facts) Compared {
	return Compared{Finding: c.find(s.Value), Number: s.Value, Subject: fmt.Sprintf("%s is %s", c.KPI.Name, c.format(s.Value))}
}

func (AgainstNothing) words(threshold string) string { return threshold }

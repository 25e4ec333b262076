package gate

import (
	"fmt"
	"strings"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Part is one of the things that decide a gate: a required criterion by itself, a group of which one has to pass, the score, or a guardrail.
type Part struct {
	// Verdict on the part.
	Verdict v1alpha1.Verdict
	// Because says why, for people.
	Because string
	// Recovering is true when the part has not passed and only needs its criteria to hold for longer.
	Recovering bool
	// Guardrail is true for a guardrail.
	Guardrail bool
}

// decide puts the judgements on the criteria together. Advisory ones are no part.
func (j Judgement) decide(g Gate) Judgement {
	groups := map[string]bool{}
	for _, c := range j.Criteria {
		switch {
		case c.Criterion.AnyOf != "" && !groups[c.Criterion.AnyOf]:
			groups[c.Criterion.AnyOf] = true
			j.Parts = append(j.Parts, j.group(c.Criterion.AnyOf))
		case c.Criterion.AnyOf != "":
		case c.Criterion.Importance == v1alpha1.ImportanceRequired, c.Criterion.guards():
			j.Parts = append(j.Parts, Part{Verdict: c.Verdict, Because: c.Message, Recovering: c.Reason == v1alpha1.ReasonHolding, Guardrail: c.Criterion.guards()})
		}
	}
	if g.Score != nil {
		score, part := j.score(*g.Score)
		j.Score = &score
		j.Parts = append(j.Parts, part)
	}
	j.Verdict = v1alpha1.VerdictWait // a gate that nothing decides must not pass
	if len(j.Parts) > 0 {
		j.Verdict = v1alpha1.VerdictPass
	}
	for _, part := range j.Parts {
		j.Verdict = worse(j.Verdict, part.Verdict)
	}
	return j
}

// worse returns the verdict that decides when both stand side by side: Fail before Wait before Pass.
func worse(a, b v1alpha1.Verdict) v1alpha1.Verdict {
	for _, v := range []v1alpha1.Verdict{v1alpha1.VerdictFail, v1alpha1.VerdictWait} {
		if a == v || b == v {
			return v
		}
	}
	return v1alpha1.VerdictPass
}

// group judges criteria of which one has to pass.
func (j Judgement) group(name string) Part {
	part := Part{Verdict: v1alpha1.VerdictFail}
	var sentences []string
	for _, c := range j.Criteria {
		if c.Criterion.AnyOf != name {
			continue
		}
		sentences = append(sentences, c.Message)
		part.Recovering = part.Recovering || c.Reason == v1alpha1.ReasonHolding
		switch c.Verdict {
		case v1alpha1.VerdictPass:
			return Part{Verdict: v1alpha1.VerdictPass, Because: c.Message}
		case v1alpha1.VerdictWait:
			part.Verdict = v1alpha1.VerdictWait
		}
	}
	part.Because = fmt.Sprintf("one of %s is needed: %s", name, strings.Join(sentences, ", or "))
	return part
}

// score adds the weights of the weighted criteria. While some of them wait, the score can still end anywhere between what has passed and what has not failed:
// only what holds for both ends is decided.
func (j Judgement) score(marks Score) (int32, Part) {
	var passed, holding, waiting, total int64
	var open []string
	for _, c := range j.Criteria {
		if c.Criterion.Importance != v1alpha1.ImportanceWeighted {
			continue
		}
		weight := int64(c.Criterion.Weight)
		total += weight
		switch {
		case c.Verdict == v1alpha1.VerdictPass:
			passed += weight
			continue
		case c.Reason == v1alpha1.ReasonHolding:
			holding += weight
		case c.Verdict == v1alpha1.VerdictWait:
			waiting += weight
		}
		open = append(open, c.Message)
	}
	reaches := func(weight int64, mark int32) bool { return total > 0 && 100*weight >= int64(mark)*total }
	part := Part{Verdict: v1alpha1.VerdictWait, Recovering: reaches(passed+holding, marks.Pass)}
	switch {
	case reaches(passed, marks.Pass):
		part.Verdict = v1alpha1.VerdictPass
	case !reaches(passed+holding+waiting, marks.Warn):
		part.Verdict = v1alpha1.VerdictFail
	}
	score := int32(100 * passed / max(total, 1))
	part.Because = fmt.Sprintf("the score is %d, must be at least %d", score, marks.Pass)
	if part.Verdict == v1alpha1.VerdictWait && waiting+holding == 0 {
		part.Because += fmt.Sprintf(" (it is close: it fails below %d)", marks.Warn)
	}
	if len(open) > 0 {
		part.Because += ": " + strings.Join(open, ", ")
	}
	return score, part
}

// Because returns the sentences that explain the verdict: those of the parts that share it.
func (j Judgement) Because() []string {
	var sentences []string
	for _, part := range j.Parts {
		if part.Verdict == j.Verdict {
			sentences = append(sentences, part.Because)
		}
	}
	return sentences
}

// Recovering reports whether everything that has not passed only needs to hold for longer.
func (j Judgement) Recovering() bool {
	for _, part := range j.Parts {
		if part.Verdict != v1alpha1.VerdictPass && !part.Recovering {
			return false
		}
	}
	return true
}

// Broken returns the sentences of the guardrails that have been broken for their time.
func (j Judgement) Broken() []string {
	return j.guardrails(func(v v1alpha1.Verdict) bool { return v == v1alpha1.VerdictFail })
}

// Unkept returns the sentences of the guardrails that are not known to be kept now.
func (j Judgement) Unkept() []string {
	return j.guardrails(func(v v1alpha1.Verdict) bool { return v != v1alpha1.VerdictPass })
}

func (j Judgement) guardrails(which func(v1alpha1.Verdict) bool) []string {
	var sentences []string
	for _, part := range j.Parts {
		if part.Guardrail && which(part.Verdict) {
			sentences = append(sentences, part.Because)
		}
	}
	return sentences
}

package decide

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// told is the order in which the fates of a wave's sites are counted.
var told = []string{
	v1alpha1.ReasonApplied, v1alpha1.ReasonCounted, v1alpha1.ReasonPending, v1alpha1.ReasonPolicyMissing,
	v1alpha1.ReasonNotNeeded, v1alpha1.ReasonOtherAttempt, v1alpha1.ReasonExpired,
}

// Together puts the fates of a decision at the sites of its wave into one: it counts while it has had its effect at a site, or can still have it.
func Together(wave string, fates []Fate) Fate {
	if len(fates) == 0 {
		return pending("wave %s has no sites", wave)
	}
	first, number, open := map[string]Fate{}, map[string]int{}, 0
	for _, f := range fates {
		if number[f.Reason] == 0 {
			first[f.Reason] = f
		}
		number[f.Reason]++
		if !f.Final {
			open++
		}
	}
	var sentences []string
	var most Fate
	for _, reason := range told {
		if number[reason] == 0 {
			continue
		}
		if most.Reason == "" {
			most = first[reason]
		}
		sentences = append(sentences, fmt.Sprintf("%s at %d", reason, number[reason]))
	}
	most.Counts, most.Final = false, open == 0
	if open > 0 && most.Reason == v1alpha1.ReasonApplied {
		most.Reason = v1alpha1.ReasonCounted
	}
	example := most.Message
	most.Message = fmt.Sprintf("of %d sites of wave %s: %s", len(fates), wave, strings.Join(sentences, ", "))
	if most.Status != metav1.ConditionTrue {
		most.Message += "; " + example
	}
	return most
}

// Nowhere is the fate of a decision about a site that is not in the rollout.
func Nowhere(d *v1alpha1.RolloutDecision) Fate {
	return pending("site %s is not in rollout %s", d.Spec.Site, d.Spec.Rollout)
}

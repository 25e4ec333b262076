package crmrollout

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/plan"
)

// waveStatuses tells of every wave. A ranking that is made now is told only when the places of all sites were written: what is told counts from then on.
func waveStatuses(s snapshot, d decision, c counts, failure error) []v1alpha1.WaveStatus {
	rankings := d.Rankings
	if failure != nil {
		rankings = s.rankings
	}
	most := shownPlaces(s.plan)
	statuses := make([]v1alpha1.WaveStatus, 0, len(d.Waves))
	for _, w := range d.Waves {
		st := v1alpha1.WaveStatus{Name: w.Name, State: w.State, Message: v1alpha1.Clip(w.Message, v1alpha1.MaxMessage)}
		if !w.OpensAt.IsZero() {
			opens := metav1.NewTime(w.OpensAt)
			st.OpensAt = &opens
		}
		if sites := c.byWave[w.Name]; sites != nil {
			st.Sites = *sites
		}
		if ranking, made := rankings[w.Name]; made {
			at := metav1.NewTime(ranking.At)
			st.RankedAt, st.Ranking = &at, shown(ranking.Places, most)
		}
		statuses = append(statuses, st)
	}
	return statuses
}

const (
	// mostPlaces repeats the MaxItems marker of a wave's ranking.
	mostPlaces = 20
	// allPlaces bounds the places of all waves together, which keeps the status small.
	allPlaces = 100
	// leastPlaces is what is shown of a ranking in any case.
	leastPlaces = 3
)

// shownPlaces returns how many places of a ranking are shown.
func shownPlaces(p plan.Plan) int {
	ranked := 0
	for _, w := range p.Waves {
		if len(w.RankBy) > 0 {
			ranked++
		}
	}
	return min(mostPlaces, max(leastPlaces, allPlaces/max(1, ranked)))
}

func shown(places []admit.Place, most int) []v1alpha1.RankedSite {
	var ranking []v1alpha1.RankedSite
	for _, place := range places[:min(len(places), most)] {
		ranking = append(ranking, v1alpha1.RankedSite{Site: place.Site, Place: place.Place, Because: place.Because})
	}
	return ranking
}

// rankedMessage tells the first places of a ranking.
func rankedMessage(w v1alpha1.WaveStatus) string {
	const told = 3
	places := make([]string, 0, told)
	for _, place := range w.Ranking[:min(len(w.Ranking), told)] {
		places = append(places, fmt.Sprintf("%d. %s (%s)", place.Place, place.Site, place.Because))
	}
	return fmt.Sprintf("the sites of wave %s are ranked: %s", w.Name, strings.Join(places, ", "))
}

// rankingMessage tells what the ranking of the first wave waits for that is open and not ranked; empty when there is none.
func rankingMessage(d decision) string {
	for _, w := range d.Waves {
		if w.Unranked && d.Unranked[w.Name] != "" {
			return fmt.Sprintf("wave %s: %s", w.Name, d.Unranked[w.Name])
		}
	}
	return ""
}

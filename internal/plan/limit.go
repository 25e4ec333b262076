package plan

import (
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// maxSites is the greatest number of sites that a rollout is built for, and so the greatest limit that makes sense.
const maxSites = 10000

// Limit is a number of sites, or a percentage of them.
type Limit struct {
	// Number of sites, or of percent.
	Number int
	// Percent is true for a percentage.
	Percent bool
}

// Down returns how many of so many sites that is, rounded down.
func (l Limit) Down(sites int) int {
	if l.Percent {
		return sites * l.Number / 100
	}
	return l.Number
}

// Up returns how many of so many sites that is, rounded up.
func (l Limit) Up(sites int) int {
	if l.Percent {
		return (sites*l.Number + 99) / 100
	}
	return l.Number
}

// String writes the limit as a person does: 3 or 10%.
func (l Limit) String() string {
	if l.Percent {
		return fmt.Sprintf("%d%%", l.Number)
	}
	return strconv.Itoa(l.Number)
}

// resolveLimit resolves a number or a percentage of sites that is at least so great; nil when it is not set. The schema of the API cannot say what a number of either
// form must be, so that a wrong one is a mistake of the plan.
func (p *Plan) resolveLimit(object, field string, source *intstr.IntOrString, least int) *Limit {
	if source == nil {
		return nil
	}
	limit, greatest := Limit{Number: source.IntValue()}, maxSites
	problem := fmt.Sprintf("%s is not from %d to %d", source, least, maxSites)
	if source.Type == intstr.String {
		text, percent := strings.CutSuffix(source.StrVal, "%")
		number, err := strconv.Atoi(text)
		if err != nil || !percent {
			number = -1
		}
		limit, greatest = Limit{Number: number, Percent: true}, 100
		problem = fmt.Sprintf("%q is not from %d%% to 100%%", source.StrVal, least)
	}
	if limit.Number < least || limit.Number > greatest {
		p.Mistakes = append(p.Mistakes, invalid(object, field, problem,
			fmt.Sprintf("write a number of sites from %d to %d, or a percentage from \"%d%%\" to \"100%%\"", least, maxSites, least)))
		return nil
	}
	return &limit
}

package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

// DefaultInterval is the time between measurements of a KPI that declares none.
const DefaultInterval = 5 * time.Minute

// defaultStaleIntervals is the number of intervals after which a value no longer counts, when the KPI does not say.
const defaultStaleIntervals = 3

// ResolveKPI resolves what a criterion needs to know of a KPI, with what stands for its unset fields.
func ResolveKPI(source *v1alpha1.KPI) (gate.KPI, []Mistake) {
	object := "KPI/" + source.Name
	var mistakes []Mistake
	parse := func(field string, d v1alpha1.Duration, unset time.Duration) time.Duration {
		parsed, err := d.Parse()
		if err != nil {
			mistakes = append(mistakes, invalid(object, "spec."+field, err.Error(), remedyDuration))
		}
		if parsed == 0 {
			return unset
		}
		return parsed
	}
	kpi := gate.KPI{Name: source.Name, Revision: Revision(source), Unit: source.Spec.Unit}
	kpi.Interval = parse("interval", source.Spec.Interval, DefaultInterval)
	kpi.Window = parse("window", source.Spec.Window, 0)
	kpi.StaleAfter = parse("staleAfter", source.Spec.StaleAfter, defaultStaleIntervals*kpi.Interval)
	if kpi.StaleAfter < kpi.Interval {
		mistakes = append(mistakes, invalid(object, "spec.staleAfter",
			"it is shorter than spec.interval, so every value would be stale before the next one", "make it at least as long, or leave it out for three intervals"))
	}
	return kpi, append(mistakes, checkQuery(object, source)...)
}

// Over returns a KPI as if it had declared another window. It is the KPI itself when the window is empty or as long as its own.
func Over(source *v1alpha1.KPI, window v1alpha1.Duration) *v1alpha1.KPI {
	own, _ := source.Spec.Window.Parse()
	wanted, err := window.Parse()
	if err != nil || wanted == 0 || wanted == own {
		return source
	}
	other := *source
	other.Spec.Window = v1alpha1.FormatDuration(wanted)
	return &other
}

// Windows returns a KPI over its own window and over every other one that a gate of its namespace asks for, its own first.
func Windows(source *v1alpha1.KPI, gates map[string]*v1alpha1.AcceptanceGate) []*v1alpha1.KPI {
	all, seen := []*v1alpha1.KPI{source}, map[v1alpha1.Duration]bool{}
	var others []*v1alpha1.KPI
	for _, g := range gates {
		for _, c := range slices.Concat(g.Spec.Criteria, g.Spec.Guardrails) {
			compared := c.KPI == source.Name || (c.Against != nil && c.Against.Reference != nil && c.Against.Reference.KPI == source.Name)
			if other := Over(source, c.Window); compared && other != source && !seen[other.Spec.Window] && usesWindow(source) {
				seen[other.Spec.Window] = true
				others = append(others, other)
			}
		}
	}
	slices.SortFunc(others, func(a, b *v1alpha1.KPI) int { return cmp.Compare(a.Spec.Window, b.Spec.Window) })
	return append(all, others...)
}

// resolveOver resolves a KPI over a window that another object asks for, in the field that is named.
func resolveOver(object, field string, source *v1alpha1.KPI, window v1alpha1.Duration) (gate.KPI, []Mistake) {
	if _, err := window.Parse(); err != nil {
		return gate.KPI{}, []Mistake{invalid(object, field, err.Error(), remedyDuration)}
	}
	over := Over(source, window)
	resolved, mistakes := ResolveKPI(over)
	if over != source && !usesWindow(source) {
		mistakes = append(mistakes, invalid(object, field, fmt.Sprintf("the query of KPI %q does not use its window, so another one would change nothing", source.Name),
			"use {{window}} or :start in the query, or leave the window out"))
	}
	return resolved, mistakes
}

// usesWindow reports whether a query depends on the window that it is asked for: by a slot, by a bound parameter, or because it names what to make of the readings of the window. SQL knows the parameter in any case.
func usesWindow(source *v1alpha1.KPI) bool {
	query := strings.TrimSpace(source.Spec.Query)
	if query == "latest" || query == "mean" || strings.Contains(strings.ToLower(query), ":start") {
		return true
	}
	for _, match := range slot.FindAllStringSubmatch(query, -1) {
		if match[1] == "window" {
			return true
		}
	}
	return false
}

// Revision identifies what a KPI measures: this very object, and the fields that change its values. An object that was deleted and created again is another one,
// because nobody knows what it measured in between.
func Revision(source *v1alpha1.KPI) string {
	spec := source.Spec
	measured, _ := json.Marshal([]string{string(source.UID), spec.Provider.Name, spec.Query, string(spec.Scope), spec.SiteLabel, string(spec.Window)}) // strings always marshal
	sum := sha256.Sum256(measured)
	return hex.EncodeToString(sum[:revisionBytes])
}

// revisionBytes is short enough to read, and long enough that two revisions of one KPI do not meet by chance.
const revisionBytes = 6

// slot is a part of a query that stands for a fact of the KPI or of a site: {{window}}, {{attributes.crmTenant}}.
var slot = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

func checkQuery(object string, source *v1alpha1.KPI) []Mistake {
	perSite := source.Spec.Scope == v1alpha1.QueryScopePerSite
	var mistakes []Mistake
	for _, match := range slot.FindAllStringSubmatch(source.Spec.Query, -1) {
		name := match[1]
		switch {
		case name == "window" && source.Spec.Window == "":
			mistakes = append(mistakes, invalid(object, "spec.query", "it contains {{window}} but spec.window is not set", "set spec.window"))
		case name == "window":
		case !isSiteFact(name):
			mistakes = append(mistakes, invalid(object, "spec.query", fmt.Sprintf("it contains {{%s}}, which means nothing", name),
				"use {{window}}, {{site}}, {{region}}, {{subsidiary}}, {{businessMode}} or {{attributes.NAME}}"))
		case !perSite:
			mistakes = append(mistakes, invalid(object, "spec.query", fmt.Sprintf("it contains {{%s}} but asks for all sites at once", name),
				"group the query by the site label, or set spec.scope to PerSite"))
		}
	}
	return mistakes
}

func isSiteFact(name string) bool {
	switch name {
	case "site", "region", "subsidiary", "businessMode":
		return true
	}
	attribute, found := strings.CutPrefix(name, "attributes.")
	return found && attribute != ""
}

// RenderQuery fills the slots of a valid KPI's query. The site is nil when the query asks for all sites at once.
// The error names a fact that the site does not have, or one that cannot stand in a query.
func RenderQuery(source *v1alpha1.KPI, site *v1alpha1.RolloutSite) (string, error) {
	var filled strings.Builder
	query, done := source.Spec.Query, 0
	for _, at := range slot.FindAllStringSubmatchIndex(query, -1) {
		filled.WriteString(query[done:at[0]])
		done = at[1]
		name := query[at[2]:at[3]]
		if name == "window" {
			filled.WriteString(string(source.Spec.Window))
			continue
		}
		fact, err := siteFact(site, name, unsafeAfter(query[:at[0]]))
		if err != nil {
			return "", err
		}
		filled.WriteString(fact)
	}
	return filled.String() + query[done:], nil
}

// unsafeInQuery are the characters that could end a string in a query language and so change what the query asks.
const unsafeInQuery = "\"'`\\{}\n\r"

// The characters that would change what a URL asks for: in the path, and behind the first question mark.
const (
	unsafeInPath       = "?&#%+/"
	unsafeInParameters = "?&#%+"
)

// What stands before a slot in the URL that a query for an HTTP source begins with: in the path, in the parameters, and in the parameters of a query for
// Dynamics 365, which is all of it a URL from a table's name on.
var (
	inPath       = regexp.MustCompile(`^\s*(?:GET|POST)[ \t]+/[^\n?]*$`)
	inParameters = regexp.MustCompile(`^\s*(?:(?:GET|POST)[ \t]+/[^\n?]*\?[^\n]*|[A-Za-z][^\s?"{}]*\?[\s\S]*)$`)
)

// unsafeAfter returns the characters that a fact must not have besides unsafeInQuery, by the text before it: facts are not escaped for URLs.
func unsafeAfter(before string) string {
	switch {
	case inPath.MatchString(before):
		return unsafeInPath
	case inParameters.MatchString(before):
		return unsafeInParameters
	}
	return ""
}

func siteFact(site *v1alpha1.RolloutSite, name, alsoUnsafe string) (string, error) {
	if site == nil {
		return "", fmt.Errorf("{{%s}} needs a query for one site", name)
	}
	facts := map[string]string{
		"site":         SiteID(site),
		"region":       string(site.Spec.Region),
		"subsidiary":   string(site.Spec.Subsidiary),
		"businessMode": string(site.Spec.BusinessMode),
	}
	fact, ok := facts[name]
	if !ok {
		fact = string(site.Spec.Attributes[strings.TrimPrefix(name, "attributes.")])
	}
	switch {
	case fact == "":
		return "", fmt.Errorf("RolloutSite/%s has nothing for {{%s}}", site.Name, name)
	case strings.ContainsAny(fact, unsafeInQuery):
		return "", fmt.Errorf("RolloutSite/%s: the text for {{%s}} contains a quote, backslash, brace or line break, which cannot stand in a query", site.Name, name)
	case strings.ContainsAny(fact, alsoUnsafe):
		return "", fmt.Errorf("RolloutSite/%s: the text for {{%s}} contains one of %s, which would change the request: put it into the body of a POST", site.Name, name, alsoUnsafe)
	}
	return fact, nil
}

package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
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
	var failed error
	query := slot.ReplaceAllStringFunc(source.Spec.Query, func(match string) string {
		name := slot.FindStringSubmatch(match)[1]
		if name == "window" {
			return string(source.Spec.Window)
		}
		fact, err := siteFact(site, name)
		if err != nil && failed == nil {
			failed = err
		}
		return fact
	})
	return query, failed
}

// unsafeInQuery are the characters that could end a string in a query language and so change what the query asks.
const unsafeInQuery = "\"'`\\{}\n\r"

func siteFact(site *v1alpha1.RolloutSite, name string) (string, error) {
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
	}
	return fact, nil
}

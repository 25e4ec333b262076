package plan

import (
	"fmt"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// SiteID returns the text by which metric sources name a site.
func SiteID(site *v1alpha1.RolloutSite) string {
	if site.Spec.SiteID != "" {
		return site.Spec.SiteID
	}
	return site.Name
}

// CheckSite names the mistakes in a site. The others are the sites of its namespace, itself included or not.
func CheckSite(site *v1alpha1.RolloutSite, others []*v1alpha1.RolloutSite) []Mistake {
	object := "RolloutSite/" + site.Name
	var mistakes []Mistake
	// "Local" would be the zone of the machine that the operator happens to run on.
	if _, err := time.LoadLocation(site.Spec.TimeZone); err != nil || site.Spec.TimeZone == "Local" {
		mistakes = append(mistakes, invalid(object, "spec.timeZone", fmt.Sprintf("%q is not an IANA time zone", site.Spec.TimeZone), "write it like Europe/Berlin, or leave it out for UTC"))
	}
	for _, other := range others {
		if other.Name != site.Name && SiteID(other) == SiteID(site) {
			mistakes = append(mistakes, invalid(object, "spec.siteID",
				fmt.Sprintf("RolloutSite/%s is also called %q by metric sources, so neither gets a value", other.Name, SiteID(site)), "give each site a siteID of its own"))
		}
	}
	return mistakes
}

package request

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// Answers are the requests for which the sites of rollouts were last looked at. They are kept in memory: a status that repeated them would cost a write for each site. They are safe for
// concurrent use, and empty as their zero value.
type Answers struct {
	mu    sync.Mutex
	sites map[types.NamespacedName]string
}

// Give notes that a site was looked at while its rollout carried a request; an empty one is none.
func (a *Answers) Give(siteRollout types.NamespacedName, request string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case request == "":
		delete(a.sites, siteRollout)
	case a.sites == nil:
		a.sites = map[types.NamespacedName]string{siteRollout: request}
	default:
		a.sites[siteRollout] = request
	}
}

// Given reports whether a site was looked at while its rollout carried a request, and no other one since.
func (a *Answers) Given(siteRollout types.NamespacedName, request string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sites[siteRollout] == request
}

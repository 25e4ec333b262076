package measure

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// RefreshBudget pays for status writes that bring nothing but newer numbers. Every measurement of a KPI pays for one, so that the number of
// writes in quiet times depends on the number of KPIs and not on the number of sites. It is safe for concurrent use.
type RefreshBudget struct {
	mu       sync.Mutex
	accounts map[string]*refreshes
}

// refreshes are the writes of one namespace that are paid for and not made.
type refreshes struct {
	payments int
	spare    map[Purpose]int
}

// Purpose is what a refresh is for. Sites hear of a measurement before rollouts do and there are many of them, so without a share of their own rollouts would
// never be refreshed.
type Purpose int

// The purposes of refreshes.
const (
	// ForSites is for values in the status of SiteRollouts.
	ForSites Purpose = iota
	// ForRollouts is for medians in the status of CRMRollouts.
	ForRollouts
)

const (
	// maxSpare bounds what can be saved up for a purpose while nobody needs it.
	maxSpare = 5
	// rolloutShare is the number of payments of which one is for rollouts.
	rolloutShare = 10
)

// NewRefreshBudget returns an empty budget.
func NewRefreshBudget() *RefreshBudget {
	return &RefreshBudget{accounts: map[string]*refreshes{}}
}

// Pay is to be called once for every measurement.
func (b *RefreshBudget) Pay(kpi types.NamespacedName) {
	b.mu.Lock()
	defer b.mu.Unlock()
	account := b.accounts[kpi.Namespace]
	if account == nil {
		account = &refreshes{spare: map[Purpose]int{}}
		b.accounts[kpi.Namespace] = account
	}
	account.payments++
	purpose := ForSites
	if account.payments%rolloutShare == 0 {
		purpose = ForRollouts
	}
	account.spare[purpose] = min(account.spare[purpose]+1, maxSpare)
}

// Spend reports whether a write in a namespace is paid for, and takes it off the budget.
func (b *RefreshBudget) Spend(namespace string, purpose Purpose) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	account := b.accounts[namespace]
	if account == nil || account.spare[purpose] == 0 {
		return false
	}
	account.spare[purpose]--
	return true
}

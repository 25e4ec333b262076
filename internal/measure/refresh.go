package measure

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// RefreshBudget pays for status writes that bring nothing but newer numbers. Every measurement of a KPI pays for one, so that the number of
// writes in quiet times depends on the number of KPIs and not on the number of sites. It is safe for concurrent use.
type RefreshBudget struct {
	mu    sync.Mutex
	spare map[string]int
}

// maxSpare bounds what a namespace can save up while nobody needs it.
const maxSpare = 5

// NewRefreshBudget returns an empty budget.
func NewRefreshBudget() *RefreshBudget {
	return &RefreshBudget{spare: map[string]int{}}
}

// Pay is to be called once for every measurement.
func (b *RefreshBudget) Pay(kpi types.NamespacedName) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spare[kpi.Namespace] = min(b.spare[kpi.Namespace]+1, maxSpare)
}

// Spend reports whether a write in a namespace is paid for, and takes it off the budget.
func (b *RefreshBudget) Spend(namespace string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spare[namespace] == 0 {
		return false
	}
	b.spare[namespace]--
	return true
}

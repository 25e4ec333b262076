package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// WaveBarrier says what must have happened before a wave opens.
type WaveBarrier struct {
	// wave whose sites must have come far enough.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Wave string `json:"wave,omitempty"`

	// phase that the sites of that wave must have passed, and every phase before it. Unset: every phase.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Phase string `json:"phase,omitempty"`

	// atLeast is how many of its sites must have done so: a number, or a percentage of its sites, rounded up. Unset: all of them. A wave without sites never has enough.
	//
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([1-9][0-9]?|100)%$`
	AtLeast *intstr.IntOrString `json:"atLeast,omitempty"`

	// soak is how long the wave stays closed after that, counted from the moment when the last of the needed sites had passed. Unset: it opens at once.
	//
	// +optional
	Soak Duration `json:"soak,omitempty"`
}

// RankOrder says which end of a ranking comes first.
//
// +kubebuilder:validation:Enum=HighestFirst;LowestFirst
type RankOrder string

// The orders of a ranking.
const (
	// RankHighestFirst: the greatest number comes first.
	RankHighestFirst RankOrder = "HighestFirst"
	// RankLowestFirst: the smallest number comes first.
	RankLowestFirst RankOrder = "LowestFirst"
)

// RankSource says where a number comes from by which sites are ranked.
//
// +kubebuilder:validation:Enum=KPI;Attribute;Gate;Users
type RankSource string

// The sources of a ranking.
const (
	// RankByKPI: the latest value of a KPI.
	RankByKPI RankSource = "KPI"
	// RankByAttribute: the number that stands in an attribute of the RolloutSite.
	RankByAttribute RankSource = "Attribute"
	// RankByGate: how ready a site is for an AcceptanceGate: the weight of its criteria that are met now, in percent. Advisory criteria do not count, and `for` is not asked:
	// a ranking compares sites at one moment.
	RankByGate RankSource = "Gate"
	// RankByUsers: the number of users of the site.
	RankByUsers RankSource = "Users"
)

// RankKey is one number by which sites are ranked.
//
// +kubebuilder:validation:XValidation:rule="has(self.name) != (self.by == 'Users')",message="name the KPI, the attribute or the gate; Users has no name"
// +kubebuilder:validation:XValidation:rule="self.by != 'Gate' || !has(self.order)",message="a gate ranks the best site first; leave order out"
type RankKey struct {
	// by says where the number comes from.
	//
	// +required
	By RankSource `json:"by,omitempty"`

	// name of the KPI, the attribute or the AcceptanceGate. Unset: by is Users.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// order says which end comes first. Unset: for a KPI the better one, as its direction says; HighestFirst for a gate, an attribute and users.
	//
	// +optional
	Order RankOrder `json:"order,omitempty"`
}

// Wave is an ordered group of sites.
//
// +kubebuilder:validation:XValidation:rule="!has(self.after) || self.after.wave != self.name",message="a wave cannot come after itself"
// +kubebuilder:validation:XValidation:rule="!has(self.plannedStart) || !has(self.plannedEnd) || self.plannedStart < self.plannedEnd",message="plannedEnd must come after plannedStart"
// +kubebuilder:validation:XValidation:rule="!has(self.pick) || has(self.rankBy)",message="pick takes the best sites, so say in rankBy which are better"
type Wave struct {
	// name identifies the wave. It becomes the label rollout.crmops.dev/wave of the SiteRollouts in it.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')",message="must be usable as a label: letters, digits, '-', '_' and '.', starting and ending with a letter or digit"
	Name string `json:"name,omitempty"`

	// selector picks the sites of the wave by their labels and by rollout.crmops.dev/region, rollout.crmops.dev/subsidiary and
	// rollout.crmops.dev/business-mode, which stand for the fields of a site's spec. A site that several waves select belongs to the first of them.
	// An empty selector picks every site of the namespace that no earlier wave picked.
	//
	// +required
	Selector *metav1.LabelSelector `json:"selector,omitempty"`

	// after is the barrier that opens the wave. Unset: the wave before it in the list must have completed; the first wave is open at once.
	//
	// +optional
	After *WaveBarrier `json:"after,omitempty"`

	// maxConcurrent is the greatest number of sites of this wave that may be in a phase at a time: a number, or a percentage of the wave's sites, rounded down, but never
	// less than one site. The rollout's own limit holds too. Unset: no limit of its own.
	//
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([1-9][0-9]?|100)%$`
	MaxConcurrent *intstr.IntOrString `json:"maxConcurrent,omitempty"`

	// maxFailures is how many sites of this wave may be failed at a time: a number, or a percentage of the wave's sites, rounded down. While more are, no further site of
	// the wave begins. The rollout's own limit holds too. Unset: no limit of its own.
	//
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([0-9]|[1-9][0-9]|100)%$`
	MaxFailures *intstr.IntOrString `json:"maxFailures,omitempty"`

	// through is the last phase that sites of this wave may start, where the rollout's own through does not come first. Raising it promotes the wave. Unset: the rollout's through.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Through string `json:"through,omitempty"`

	// calendars are the RolloutCalendars of the namespace that say when sites of this wave may start a phase, besides those of the rollout and of the phase. Unset: none of its own.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Calendars []LocalReference `json:"calendars,omitempty"`

	// rankBy puts the sites of the wave in an order: by the first number, where that is equal by the second, and so on, then by name. A site without a number comes after those
	// that have one. The ranking is made once, when the wave is open, the rollout is not suspended, and every KPI in it has been measured for each of these sites; it stays as it is then.
	// Sites that join later come after the others. Unset: by name.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	RankBy []RankKey `json:"rankBy,omitempty"`

	// pick takes only the best so many of the selected sites into the wave, as rankBy says. The others belong to the next wave that selects them; until the picking is done,
	// they are in no wave. A place that becomes free before any of them has begun goes to the next best; after that, who is in the wave stays. Unset: all selected sites belong to the wave.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Pick *int32 `json:"pick,omitempty"`

	// plannedStart is when the first site of the wave is planned to begin. It is compared with what happens, and keeps nothing from happening. Unset: not planned.
	//
	// +optional
	PlannedStart *metav1.Time `json:"plannedStart,omitempty"`

	// plannedEnd is when the last site of the wave is planned to have passed every phase. Set it where sites of the wave take turns, because of maxConcurrent. It is compared with what
	// happens, and keeps nothing from happening. Unset: plannedStart and the time that every phase is expected to take, as if all sites began together.
	//
	// +optional
	PlannedEnd *metav1.Time `json:"plannedEnd,omitempty"`
}

// WaveState says whether a wave's sites may start.
//
// +kubebuilder:validation:Enum=Closed;Open;Completed
type WaveState string

// The states of a wave.
const (
	// WaveClosed: its barrier has not been reached.
	WaveClosed WaveState = "Closed"
	// WaveOpen: its sites may start.
	WaveOpen WaveState = "Open"
	// WaveCompleted: each of its sites has passed every phase. A wave without sites has not completed: they may be on their way.
	WaveCompleted WaveState = "Completed"
)

// RankedSite is the place of a site in a ranking.
type RankedSite struct {
	// site is the name of the RolloutSite.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Site string `json:"site,omitempty"`

	// place of the site, from 1.
	//
	// +required
	Place int32 `json:"place,omitempty"`

	// because tells the numbers that put it there: "data-completeness 0.97, users 120".
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Because string `json:"because,omitempty"`
}

// WaveStatus tells how far a wave is.
type WaveStatus struct {
	// name of the wave.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// state says whether its sites may start.
	//
	// +required
	State WaveState `json:"state,omitempty"`

	// sites counts the wave's sites.
	//
	// +optional
	Sites SiteCounts `json:"sites,omitzero"`

	// message says what a closed wave waits for, or why no further site of an open one begins. Unset: nothing keeps its sites back.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`

	// opensAt is when the soak before the wave ends. Unset: the wave is open, or waits for something else.
	//
	// +optional
	OpensAt *metav1.Time `json:"opensAt,omitempty"`

	// rankedAt is when the sites of the wave were ranked. Unset: they have not been, or are taken by name.
	//
	// +optional
	RankedAt *metav1.Time `json:"rankedAt,omitempty"`

	// ranking shows the first 20 sites of the ranking, fewer when more than five waves rank their sites. Each SiteRollout has its own place. Unset: sites have not been ranked, or are taken by name.
	//
	// +optional
	// +listType=map
	// +listMapKey=site
	// +kubebuilder:validation:MaxItems=20
	Ranking []RankedSite `json:"ranking,omitempty"`
}

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Forecast compares planned dates with actual and expected ones. It decides nothing. Expected dates are those of the last time that the status was written.
type Forecast struct {
	// plannedCompletion is when the last wave is planned to have passed its last phase. Unset: a wave has no planned end.
	//
	// +optional
	PlannedCompletion *metav1.Time `json:"plannedCompletion,omitempty"`

	// completedAt is when the last site had passed its last phase. Unset: that has not happened, or a wave has no sites.
	//
	// +optional
	CompletedAt *metav1.Time `json:"completedAt,omitempty"`

	// expectedCompletion is when every site will have passed every phase at the pace so far. Unset: that has happened, a wave has no sites, or the pace of a phase is not known:
	// no site has passed it, and it does not say how long it is expected to take.
	//
	// +optional
	ExpectedCompletion *metav1.Time `json:"expectedCompletion,omitempty"`

	// late is how much later than plannedCompletion the rollout completed, or is expected to, in whole hours. Unset: less than an hour, or not known.
	//
	// +optional
	Late Duration `json:"late,omitempty"`

	// waves in the order of the plan. Unset: everything else that the status has to say leaves no room for them.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Waves []WaveForecast `json:"waves,omitempty"`
}

// WaveForecast compares the dates of a wave.
type WaveForecast struct {
	// name of the wave.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// dates of the wave as a whole, from the start of its first site to the last pass of its last.
	Dates `json:",inline"`

	// phases in the order of the plan. Unset: the waves and phases of the rollout are too many for one status; those of waves that have ended are left out first, then those of waves that
	// have not begun.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Phases []PhaseForecast `json:"phases,omitempty"`
}

// PhaseForecast compares the dates of a phase in a wave.
type PhaseForecast struct {
	// name of the phase.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// dates of the phase, from the start of the first site to the pass of the last.
	Dates `json:",inline"`
}

// Dates are planned, actual and expected dates of a stretch of work.
type Dates struct {
	// plannedStart is when it was to begin: plannedStart of the wave, and for a phase what the phases before it are expected to take on top. Unset: that is not planned.
	//
	// +optional
	PlannedStart *metav1.Time `json:"plannedStart,omitempty"`

	// plannedEnd is when it was to end: plannedStart and what it is expected to take; where plannedEnd of the wave is set, that, and for a phase less what the phases behind it are
	// expected to take. Unset: that is not planned.
	//
	// +optional
	PlannedEnd *metav1.Time `json:"plannedEnd,omitempty"`

	// start is when the first site began it, in its first attempt. Unset: none has.
	//
	// +optional
	Start *metav1.Time `json:"start,omitempty"`

	// end is when the last of the wave's sites had passed it; a later regression changes nothing. Unset: a site has not.
	//
	// +optional
	End *metav1.Time `json:"end,omitempty"`

	// expectedEnd is when it will end at the pace so far; never in the past. Unset: it has ended, or the pace is not known.
	//
	// +optional
	ExpectedEnd *metav1.Time `json:"expectedEnd,omitempty"`

	// late is true when it has ended, or is expected to end, an hour after plannedEnd or later, or has not begun an hour after plannedStart. Unset: it is in time, or nothing is planned.
	//
	// +optional
	Late bool `json:"late,omitempty"`
}

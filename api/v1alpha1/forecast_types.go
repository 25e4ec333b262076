package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RevisionStatus tells of one frozen plan.
type RevisionStatus struct {
	// name of the ControllerRevision.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// revision is its number. A later plan has a greater one.
	//
	// +required
	Revision int64 `json:"revision,omitempty"`

	// sites is the number of sites that run on it: those in a phase that began with it, and those that will start their next phase with it.
	//
	// +optional
	Sites int32 `json:"sites"`

	// changes tells what differs from it in the current plan, one sentence each, up to 10: "AcceptanceGate/data-accepted spec.criteria[name=complete].atLeast: 0.95 is 0.97 now".
	// Unset: it is the current plan.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MaxLength=512
	Changes []string `json:"changes,omitempty"`
}

// Forecast compares planned dates with actual and expected ones, as of the last time that the status was written.
type Forecast struct {
	// plannedCompletion is when the last wave is planned to have passed its last phase. Unset: not every wave and phase has planned dates.
	//
	// +optional
	PlannedCompletion *metav1.Time `json:"plannedCompletion,omitempty"`

	// expectedCompletion is when every site will have passed every phase at the pace so far. Unset: no phase has been passed yet and none says how long it is expected to take.
	//
	// +optional
	ExpectedCompletion *metav1.Time `json:"expectedCompletion,omitempty"`

	// late is how much later than planned completion is expected. Unset: it is not, or that is not known.
	//
	// +optional
	Late Duration `json:"late,omitempty"`

	// waves in the order of the plan.
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

	// phases in the order of the plan.
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
	// plannedStart is when it was to begin. Unset: not planned.
	//
	// +optional
	PlannedStart *metav1.Time `json:"plannedStart,omitempty"`

	// plannedEnd is when it was to end. Unset: not planned.
	//
	// +optional
	PlannedEnd *metav1.Time `json:"plannedEnd,omitempty"`

	// start is when it began. Unset: it has not.
	//
	// +optional
	Start *metav1.Time `json:"start,omitempty"`

	// end is when it ended. Unset: it has not.
	//
	// +optional
	End *metav1.Time `json:"end,omitempty"`

	// expectedEnd is when it will end at the pace so far. Unset: it has ended, or the pace is not known.
	//
	// +optional
	ExpectedEnd *metav1.Time `json:"expectedEnd,omitempty"`

	// late is true when it ended, or is expected to end, after plannedEnd, or has not begun though plannedStart is past.
	//
	// +optional
	Late bool `json:"late,omitempty"`
}

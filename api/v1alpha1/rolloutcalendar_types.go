package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LocalTime is a date, or a date and a time of the day, on the wall clock of a time zone: "2026-12-24", "2026-12-24T08:00".
//
// +kubebuilder:validation:MinLength=10
// +kubebuilder:validation:MaxLength=16
// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9])?$')",message="must be a date such as 2026-12-24, or a date and a time such as 2026-12-24T08:00, without a zone"
type LocalTime string

// CalendarWindow is a stretch of time on the wall clock, once or again and again. Exactly one of until and duration is set.
//
// +kubebuilder:validation:XValidation:rule="has(self.until) != has(self.duration)",message="exactly one of until and duration must be set"
// +kubebuilder:validation:XValidation:rule="!has(self.recurrence) || has(self.duration)",message="a window that recurs needs duration: until is one moment"
type CalendarWindow struct {
	// name identifies the window in its calendar.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// start is when the window begins, the first time when it recurs. A date alone is the beginning of that day.
	//
	// +required
	Start LocalTime `json:"start,omitempty"`

	// until is when the window ends; a date alone is the end of that day. Unset: duration says so.
	//
	// +optional
	Until LocalTime `json:"until,omitempty"`

	// duration is how long the window lasts. Weeks and days are counted on the wall clock, hours, minutes and seconds as they pass, as in RFC 5545. Unset: until says so.
	//
	// +optional
	Duration Duration `json:"duration,omitempty"`

	// recurrence repeats the window: a recurrence rule of RFC 5545 without its name and without DTSTART, such as "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH". Unset: the window is there once.
	//
	// +optional
	// +kubebuilder:validation:MinLength=6
	// +kubebuilder:validation:MaxLength=512
	Recurrence string `json:"recurrence,omitempty"`
}

// RolloutCalendarSpec says when sites may start a phase.
//
// +kubebuilder:validation:XValidation:rule="has(self.allow) || has(self.deny)",message="a calendar without windows says nothing; add allow or deny"
type RolloutCalendarSpec struct {
	// description says for people what the calendar is for. Unset: nothing is shown.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Description string `json:"description,omitempty"`

	// timeZone is the IANA time zone whose wall clock the windows are on, for example "Europe/Berlin". Unset: each site's own time zone.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	TimeZone string `json:"timeZone,omitempty"`

	// sites selects the sites that the calendar is for, the way a wave does; for the others it is open. Unset: all sites.
	//
	// +optional
	Sites *metav1.LabelSelector `json:"sites,omitempty"`

	// allow are the windows in which the calendar is open. Unset: it is open at all times that deny does not forbid.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Allow []CalendarWindow `json:"allow,omitempty"`

	// deny are the windows in which the calendar is closed, whatever allow says. Unset: none.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Deny []CalendarWindow `json:"deny,omitempty"`
}

// CalendarState is where a calendar stands in one time zone.
type CalendarState struct {
	// timeZone whose wall clock counts.
	//
	// +required
	// +kubebuilder:validation:MaxLength=64
	TimeZone string `json:"timeZone,omitempty"`

	// open is true while sites may start a phase.
	//
	// +optional
	Open bool `json:"open"`

	// window is the name of the window that decides: the deny window that closes it, or the allow window that opens it. Unset: none does.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Window string `json:"window,omitempty"`

	// nextOpening is when it opens next. Unset: it is open, or does not open within five years.
	//
	// +optional
	NextOpening *metav1.Time `json:"nextOpening,omitempty"`

	// nextClosing is when it closes next. Unset: it is closed, or does not close within five years.
	//
	// +optional
	NextClosing *metav1.Time `json:"nextClosing,omitempty"`
}

// RolloutCalendarStatus says whether the calendar is open.
type RolloutCalendarStatus struct {
	// observedGeneration is the metadata.generation that this status speaks about; -1 until the operator has looked at the object.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// zones tells where the calendar stands in its time zone, or in each of the sites' own, by name, up to 50.
	//
	// +optional
	// +listType=map
	// +listMapKey=timeZone
	// +kubebuilder:validation:MaxItems=50
	Zones []CalendarState `json:"zones,omitempty"`

	// conditions are Ready; Open, which is True when the calendar is open in all of its zones, False when in none, Unknown otherwise; and Stalled when a window holds a mistake.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// RolloutCalendar says when sites may start a phase: working hours, seasons, freezes. What runs goes on when it closes.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=rolloutcalendars,shortName=rcal,categories=crm
// +kubebuilder:printcolumn:name="Zone",type=string,JSONPath=`.spec.timeZone`
// +kubebuilder:printcolumn:name="Open",type=string,JSONPath=`.status.conditions[?(@.type=="Open")].status`
// +kubebuilder:printcolumn:name="Because",type=string,JSONPath=`.status.conditions[?(@.type=="Open")].message`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name must have at most 63 characters"
type RolloutCalendar struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. The name has at most 63 characters.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says when sites may start a phase.
	//
	// +required
	Spec RolloutCalendarSpec `json:"spec,omitzero"`

	// status says whether the calendar is open.
	//
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status RolloutCalendarStatus `json:"status,omitzero"`
}

// RolloutCalendarList is a list of RolloutCalendar.
//
// +kubebuilder:object:root=true
type RolloutCalendarList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RolloutCalendar `json:"items"`
}

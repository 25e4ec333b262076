package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of every kind in this package.
var GroupVersion = schema.GroupVersion{Group: "rollout.crmops.dev", Version: "v1alpha1"}

var schemeBuilder = runtime.NewSchemeBuilder(func(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&CRMRollout{}, &CRMRolloutList{},
		&RolloutSite{}, &RolloutSiteList{},
		&RolloutPhase{}, &RolloutPhaseList{},
		&KPI{}, &KPIList{},
		&AcceptanceGate{}, &AcceptanceGateList{},
		&MetricProvider{}, &MetricProviderList{},
		&KPIReading{}, &KPIReadingList{},
		&SiteRollout{}, &SiteRolloutList{},
		&RolloutCalendar{}, &RolloutCalendarList{},
		&RolloutDecision{}, &RolloutDecisionList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
})

// AddToScheme registers every kind of this package in a scheme.
var AddToScheme = schemeBuilder.AddToScheme

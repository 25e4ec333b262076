package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Definitions are what decides how a site is judged, as it was at one moment: the phases of a rollout in their order, with their gates and the KPIs of these. Waves, limits, through,
// suspension, calendars and what is sustained are no part of it: they are always as they are now. What is only there for people, descriptions for example, is left out.
type Definitions struct {
	// Phases are the names of the phases in the order of the plan.
	Phases []string `json:"phases"`
	// RolloutPhases by name. One that did not exist is missing.
	RolloutPhases map[string]v1alpha1.RolloutPhaseSpec `json:"rolloutPhases,omitempty"`
	// AcceptanceGates by name, those that the phases name.
	AcceptanceGates map[string]GateDefinition `json:"acceptanceGates,omitempty"`
	// KPIs by name, those that the gates and the baselines of the phases name.
	KPIs map[string]KPIDefinition `json:"kpis,omitempty"`
}

// GateDefinition is a gate as it was.
type GateDefinition struct {
	// Generation of the object. Two definitions that differ in nothing else are one.
	Generation int64 `json:"generation,omitempty"`
	// Spec of the object.
	Spec v1alpha1.AcceptanceGateSpec `json:"spec"`
}

// KPIDefinition is a KPI as it was.
type KPIDefinition struct {
	// UID of the object: one of the same name that is created later measures something else.
	UID types.UID `json:"uid,omitempty"`
	// Spec of the object.
	Spec v1alpha1.KPISpec `json:"spec"`
}

// Freeze takes down what the sites of a rollout are judged by now.
func Freeze(rollout *v1alpha1.CRMRollout, objects Objects) Definitions {
	d := Definitions{RolloutPhases: map[string]v1alpha1.RolloutPhaseSpec{}, AcceptanceGates: map[string]GateDefinition{}, KPIs: map[string]KPIDefinition{}}
	for _, ref := range rollout.Spec.Phases {
		d.Phases = append(d.Phases, ref.Name)
		source, found := objects.Phases[ref.Name]
		if !found {
			continue
		}
		spec := *source.Spec.DeepCopy()
		spec.Description, spec.ApplicationLevel, spec.Expected, spec.Calendars = "", "", "", nil
		d.RolloutPhases[ref.Name] = spec
		for _, b := range spec.Baselines {
			d.freezeKPI(b.KPI, objects)
		}
		for _, gate := range []*v1alpha1.LocalReference{spec.EntryGate, spec.ExitGate} {
			if gate != nil {
				d.freezeGate(gate.Name, objects)
			}
		}
	}
	return d
}

func (d Definitions) freezeGate(name string, objects Objects) {
	source, found := objects.Gates[name]
	if !found {
		return
	}
	spec := *source.Spec.DeepCopy()
	spec.Description = ""
	d.AcceptanceGates[name] = GateDefinition{Generation: source.Generation, Spec: spec}
	for _, c := range slices.Concat(spec.Criteria, spec.Guardrails) {
		d.freezeKPI(c.KPI, objects)
		if c.Against != nil && c.Against.Reference != nil {
			d.freezeKPI(c.Against.Reference.KPI, objects)
		}
	}
}

func (d Definitions) freezeKPI(name string, objects Objects) {
	if source, found := objects.KPIs[name]; found {
		spec := source.Spec
		spec.Description, spec.Category = "", ""
		d.KPIs[name] = KPIDefinition{UID: source.UID, Spec: spec}
	}
}

// Encode writes definitions as the data of a ControllerRevision.
func (d Definitions) Encode() []byte {
	text, _ := json.Marshal(d) // types of the API always marshal
	return text
}

// Decode reads what Encode wrote. Fields that a later version of the operator has added are left out.
func Decode(data []byte) (Definitions, error) {
	var d Definitions
	if err := json.Unmarshal(data, &d); err != nil {
		return Definitions{}, fmt.Errorf("read a frozen plan: %w", err)
	}
	return d, nil
}

// planBytes is how much of a hash names a frozen plan.
const planBytes = 5

// RevisionName is the name of the ControllerRevision of definitions. The same definitions of one rollout always have the same name, and others another one.
func (d Definitions) RevisionName(rollout string) string {
	named := d
	named.AcceptanceGates = make(map[string]GateDefinition, len(d.AcceptanceGates))
	for name, g := range d.AcceptanceGates {
		g.Generation = 0
		named.AcceptanceGates[name] = g
	}
	sum := sha256.Sum256(named.Encode())
	return rollout + "-" + hex.EncodeToString(sum[:planBytes])
}

// objects returns the objects as they were.
func (d Definitions) objects() Objects {
	o := Objects{Phases: map[string]*v1alpha1.RolloutPhase{}, Gates: map[string]*v1alpha1.AcceptanceGate{}, KPIs: map[string]*v1alpha1.KPI{}}
	for name, spec := range d.RolloutPhases {
		o.Phases[name] = &v1alpha1.RolloutPhase{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
	}
	for name, g := range d.AcceptanceGates {
		o.Gates[name] = &v1alpha1.AcceptanceGate{ObjectMeta: metav1.ObjectMeta{Name: name, Generation: g.Generation}, Spec: g.Spec}
	}
	for name, k := range d.KPIs {
		o.KPIs[name] = &v1alpha1.KPI{ObjectMeta: metav1.ObjectMeta{Name: name, UID: k.UID}, Spec: k.Spec}
	}
	return o
}

// Resolve returns the phases of the definitions, each with its mistakes.
func (d Definitions) Resolve(rollout string) []Phase {
	var p Plan
	refs := make([]v1alpha1.LocalReference, 0, len(d.Phases))
	for _, name := range d.Phases {
		refs = append(refs, v1alpha1.LocalReference{Name: name})
	}
	p.resolvePhases("CRMRollout/"+rollout, refs, d.objects())
	return p.Phases
}

// Measures returns a KPI as it was, over its own window and over every other one that the gates ask for; nothing when it is no part of the definitions.
func (d Definitions) Measures(namespace, kpi string) []*v1alpha1.KPI {
	objects := d.objects()
	source, found := objects.KPIs[kpi]
	if !found {
		return nil
	}
	source.Namespace = namespace
	return Windows(source, objects.Gates)
}

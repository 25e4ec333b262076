package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Differences tells what is not in definitions as it is in others, which are those of now: one sentence for each field, in the order of kinds, names and paths. Nothing is told of an object
// that neither has.
func (d Definitions) Differences(now Definitions) []string {
	var all []string
	if !slices.Equal(d.Phases, now.Phases) {
		all = append(all, fmt.Sprintf("spec.phases: %s is %s now", strings.Join(d.Phases, ", "), strings.Join(now.Phases, ", ")))
	}
	all = append(all, compareObjects("RolloutPhase", d.RolloutPhases, now.RolloutPhases)...)
	all = append(all, compareObjects("AcceptanceGate", specs(d.AcceptanceGates), specs(now.AcceptanceGates))...)
	for _, name := range slices.Sorted(maps.Keys(now.KPIs)) {
		if was, had := d.KPIs[name]; had && was.UID != now.KPIs[name].UID {
			all = append(all, fmt.Sprintf("KPI/%s: it was deleted, and is another object of the same name now", name))
		}
	}
	return append(all, compareObjects("KPI", measured(d.KPIs), measured(now.KPIs))...)
}

func measured(kpis map[string]KPIDefinition) map[string]any {
	all := map[string]any{}
	for name, k := range kpis {
		all[name] = k.Spec
	}
	return all
}

func specs(gates map[string]GateDefinition) map[string]any {
	all := map[string]any{}
	for name, g := range gates {
		all[name] = g.Spec
	}
	return all
}

// compareObjects compares the specs of all objects of a kind.
func compareObjects[T any](kind string, was, is map[string]T) []string {
	var all []string
	either := maps.Clone(was)
	maps.Copy(either, is)
	for _, name := range slices.Sorted(maps.Keys(either)) {
		before, had := was[name]
		after, has := is[name]
		switch {
		case !had:
			all = append(all, fmt.Sprintf("%s/%s: it is new", kind, name))
		case !has:
			all = append(all, fmt.Sprintf("%s/%s: it is no part of the plan now", kind, name))
		default:
			all = append(all, compareValues(kind+"/"+name+" spec", tree(before), tree(after))...)
		}
	}
	return all
}

// tree returns something as JSON has it.
func tree(v any) any {
	var t any
	text, _ := json.Marshal(v)   // types of the API always marshal
	_ = json.Unmarshal(text, &t) // what was marshalled can be read
	return t
}

// compareValues compares two trees, and tells each leaf that differs.
func compareValues(path string, was, is any) []string {
	before, object := was.(map[string]any)
	after, both := is.(map[string]any)
	if object && both {
		return compareFields(path, before, after)
	}
	list, isList := was.([]any)
	other, areLists := is.([]any)
	if isList && areLists {
		if key := keyOf(append(slices.Clone(list), other...)); key != "" {
			return append(compareOrder(path, names(list, key), names(other, key)), compareFields(path, keyed(list, key), keyed(other, key))...)
		}
	}
	if shown(was) == shown(is) {
		return nil
	}
	return []string{fmt.Sprintf("%s: %s is %s now", path, shown(was), shown(is))}
}

// compareOrder tells when the parts that two lists share stand in another order: people read them in it.
func compareOrder(path string, was, is []string) []string {
	missing := func(from []string) func(string) bool {
		return func(name string) bool { return !slices.Contains(from, name) }
	}
	if slices.Equal(slices.DeleteFunc(slices.Clone(was), missing(is)), slices.DeleteFunc(slices.Clone(is), missing(was))) {
		return nil
	}
	return []string{fmt.Sprintf("%s: %s is %s now", path, strings.Join(was, ", "), strings.Join(is, ", "))}
}

func compareFields(path string, was, is map[string]any) []string {
	var all []string
	fields := maps.Clone(was)
	maps.Copy(fields, is)
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		at := path + "." + field
		if strings.HasPrefix(field, "[") {
			at = path + field
		}
		before, had := was[field]
		after, has := is[field]
		switch {
		case !had:
			all = append(all, fmt.Sprintf("%s: it is %s now, and was not set", at, shown(after)))
		case !has:
			all = append(all, fmt.Sprintf("%s: it was %s, and is not set now", at, shown(before)))
		default:
			all = append(all, compareValues(at, before, after)...)
		}
	}
	return all
}

// keyOf returns the field by which the parts of a list are told apart; "" when there is none.
func keyOf(list []any) string {
	for _, key := range []string{"name", "kpi", "role"} {
		if len(list) > 0 && !slices.ContainsFunc(list, func(part any) bool {
			object, _ := part.(map[string]any)
			_, has := object[key].(string)
			return !has
		}) {
			return key
		}
	}
	return ""
}

// names are what the parts of a list are called, in their order.
func names(list []any, key string) []string {
	all := make([]string, 0, len(list))
	for _, part := range list {
		all = append(all, part.(map[string]any)[key].(string))
	}
	return all
}

func keyed(list []any, key string) map[string]any {
	all := map[string]any{}
	for _, part := range list {
		all[fmt.Sprintf("[%s=%s]", key, part.(map[string]any)[key])] = part
	}
	return all
}

// shown writes a value the way a person does in a spec.
func shown(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	text, _ := json.Marshal(v) // it came from JSON
	return string(text)
}

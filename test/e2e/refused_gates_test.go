package e2e

// criterionWith is a gate of one criterion, and what comes after its criteria.
func criterionWith(criterion, rest string) string {
	return `{kind: AcceptanceGate, metadata: {name: refused}, spec: {criteria: [{name: records, kpi: completeness, ` + criterion + `}]` + rest + `}}`
}

// guardrailWith is a gate of one criterion and one guardrail.
func guardrailWith(guardrail string) string {
	return criterionWith(`atLeast: "0.9"`, `, guardrails: [{`+guardrail+`}]`)
}

func baselinesWith(baselines string) string {
	return `{kind: RolloutPhase, metadata: {name: refused}, spec: {baselines: [` + baselines + `]}}`
}

const (
	noThreshold = `must be a decimal number in quotes such as "0.95" or, for a change in percent, "-10%"`
	fromWhat    = "a percentage is a change, so say what from: set against.baseline, against.control or against.reference"
	oneAgainst  = "exactly one of baseline, control and reference must be set"
	alwaysReal  = "a guardrail always decides: importance, weight and anyOf have no meaning in guardrails; leave them out"
	scored      = "score and criteria with importance Weighted need each other; set both or neither"
	weighted    = `atLeast: "0.9", importance: Weighted`
)

// refusedGates are gates and phases that make no sense, whatever their KPIs are.
var refusedGates = []refusal{
	{"a percentage of nothing", criterionWith(`atLeast: "5%"`, ``), []string{"spec.criteria[0]", fromWhat}},
	{"a range in percent of nothing", criterionWith(`between: {min: "-5%", max: "5%"}`, ``), []string{"spec.criteria[0]", fromWhat}},
	{"a percentage with a space", criterionWith(`against: {baseline: {}}, atLeast: "5 %"`, ``), []string{"spec.criteria[0].atLeast", noThreshold}},
	{"a range from a number to a percentage", criterionWith(`against: {baseline: {}}, between: {min: "-5", max: "5%"}`, ``), []string{"spec.criteria[0].between", "min and max must both be percentages or both be numbers"}},
	{"a comparison with nothing", criterionWith(`against: {}, atLeast: "5%"`, ``), []string{"spec.criteria[0].against", oneAgainst}},
	{"a comparison with two things", criterionWith(`against: {baseline: {}, control: {}}, atLeast: "5%"`, ``), []string{"spec.criteria[0].against", oneAgainst}},
	{"a KPI compared with itself", criterionWith(`against: {reference: {kpi: completeness}}, between: {min: "-1%", max: "1%"}`, ``), []string{"spec.criteria[0]", "a KPI compared with itself is always equal; name another one in against.reference.kpi"}},
	{"a comparison with a KPI without its name", criterionWith(`against: {reference: {}}, between: {min: "-1%", max: "1%"}`, ``), []string{"against.reference.kpi", "Required value"}},
	{"exceptions of a run of no length", criterionWith(`against: {reference: {kpi: old, maxExceptions: 2}}, between: {min: "-1%", max: "1%"}`, ``), []string{"spec.criteria[0]", "maxExceptions counts the exceptions of a run, so it needs for: say how long a run must last"}},
	{"two control sites", criterionWith(`against: {control: {minSites: 2}}, atLeast: "5%"`, ``), []string{"against.control.minSites", "greater than or equal to 3"}},
	{"certainty", criterionWith(`against: {control: {confidence: "1"}}, atLeast: "5%"`, ``), []string{"against.control.confidence", `must be more than 0.5 and less than 1, such as "0.95"`}},
	{"less confidence than a coin gives", criterionWith(`against: {control: {confidence: "0.5"}}, atLeast: "5%"`, ``), []string{"against.control.confidence", `must be more than 0.5 and less than 1, such as "0.95"`}},
	{"a confidence in percent", criterionWith(`against: {control: {confidence: "95%"}}, atLeast: "5%"`, ``), []string{"against.control.confidence", noDecimal}},
	{"at least no samples", criterionWith(`atLeast: "0.9", minSamples: 0`, ``), []string{"spec.criteria[0].minSamples", "greater than or equal to 1"}},
	{"a window of no length", criterionWith(`atLeast: "0.9", window: 0h`, ``), []string{"spec.criteria[0].window", noTime}},

	{"an unknown importance", criterionWith(`atLeast: "0.9", importance: Optional`, ``), []string{"spec.criteria[0].importance", `supported values: "Required", "Weighted", "Advisory"`}},
	{"a criterion that is a guardrail", criterionWith(`atLeast: "0.9", importance: Guardrail`, ``), []string{"spec.criteria[0].importance", `supported values: "Required", "Weighted", "Advisory"`}},
	{"the weight of a required criterion", criterionWith(`atLeast: "0.9", weight: 2`, ``), []string{"spec.criteria[0]", "weight has a meaning only with importance Weighted; set that importance or leave weight out"}},
	{"a weight of nothing", criterionWith(weighted+`, weight: 0`, `, score: {pass: 80}`), []string{"spec.criteria[0].weight", "greater than or equal to 1"}},
	{"an advisory criterion of which one has to pass", criterionWith(`atLeast: "0.9", importance: Advisory, anyOf: either`, ``), []string{"spec.criteria[0]", "anyOf has a meaning only with importance Required; leave one of the two out"}},
	{"weights without a score", criterionWith(weighted, ``), []string{"spec: Invalid value", scored}},
	{"a score without weights", criterionWith(`atLeast: "0.9"`, `, score: {pass: 80}`), []string{"spec: Invalid value", scored}},
	{"a score that warns above its pass mark", criterionWith(weighted, `, score: {pass: 60, warn: 80}`), []string{"spec.score", "warn must not be greater than pass"}},
	{"a score that is passed by nothing", criterionWith(weighted, `, score: {pass: 0}`), []string{"spec.score.pass", "greater than or equal to 1"}},
	{"a score of more than all", criterionWith(weighted, `, score: {pass: 101}`), []string{"spec.score.pass", "less than or equal to 100"}},

	{"a gate of nothing", `{kind: AcceptanceGate, metadata: {name: refused}, spec: {}}`, []string{"spec: Invalid value", "a gate without criteria would pass everything; add criteria, guardrails or approvals"}},
	{"a gate that is all advice", criterionWith(`atLeast: "0.9", importance: Advisory`, ``), []string{"spec: Invalid value", "a gate whose criteria are all Advisory would pass everything; make one Required or Weighted"}},
	{"a guardrail that only advises", guardrailWith(`name: calm, kpi: complaints, atMost: "5", importance: Advisory`), []string{"spec: Invalid value", alwaysReal}},
	{"a guardrail with a weight", guardrailWith(`name: calm, kpi: complaints, atMost: "5", importance: Weighted, weight: 2`), []string{"spec: Invalid value", alwaysReal}},
	{"a guardrail of which one has to be kept", guardrailWith(`name: calm, kpi: complaints, atMost: "5", anyOf: either`), []string{"spec: Invalid value", alwaysReal}},
	{"a criterion and a guardrail of one name", guardrailWith(`name: records, kpi: complaints, atMost: "5"`), []string{"spec: Invalid value", "the names of criteria and guardrails must differ; rename one"}},
	{"a guardrail without a threshold", guardrailWith(`name: calm, kpi: complaints`), []string{"spec.guardrails[0]", oneOf}},

	{"a phase that takes two baselines of one KPI", baselinesWith(`{kpi: completeness}, {kpi: completeness, window: 1d}`), []string{"spec.baselines[1]", "Duplicate value", "completeness"}},
	{"a phase that takes no baselines", baselinesWith(``), []string{"spec.baselines", "at least 1 items"}},
	{"a baseline over a window of no length", baselinesWith(`{kpi: completeness, window: 0d}`), []string{"spec.baselines[0].window", noTime}},
	{"a control group of 31 sites", baselinesWith(`{kpi: completeness, controls: {maxSites: 31}}`), []string{"spec.baselines[0].controls.maxSites", "less than or equal to 30"}},
	{"a control group of two sites", baselinesWith(`{kpi: completeness, controls: {maxSites: 2}}`), []string{"spec.baselines[0].controls.maxSites", "greater than or equal to 3"}},
	{"a control group that is alike in nothing", baselinesWith(`{kpi: completeness, controls: {sameLabels: []}}`), []string{"spec.baselines[0].controls.sameLabels", "at least 1 items"}},
	{"a look back of no length", baselinesWith(`{kpi: completeness, controls: {preTrend: 0s}}`), []string{"spec.baselines[0].controls.preTrend", noTime}},
}

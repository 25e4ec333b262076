package provider

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/overloads"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
)

const (
	// maxCost bounds the evaluation of one expression over one page, in CEL's units: a step costs about one, a map about thirty, a row that is made anew
	// about fifty. So it is enough for 50,000 rows, ten times the largest page of any CRM, and takes a second or two at worst.
	maxCost = 3_000_000
	// interruptEvery is after how many steps of a loop the deadline is looked at.
	interruptEvery = 1000
	// maxExpression is the length of an expression, in characters.
	maxExpression = 4096
)

// The variables of expressions.
const (
	// bodyVariable is one page of the answer.
	bodyVariable = "body"
	// labelVariable is the name of the field that names a row's site.
	labelVariable = "siteLabel"
	// fieldVariable is the field that a preset's query asks for; "" when rows are counted.
	fieldVariable = "field"
	// countVariable is the field in which a preset finds the number of observations.
	countVariable = "countField"
)

// language is what expressions are written in: standard CEL with optional values (body.?paging.next), so that a part that is not there can be told from one
// that is. Functions whose cost does not depend on the expression alone, like those for strings, are left out.
var language = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable(bodyVariable, cel.DynType),
		cel.Variable(labelVariable, cel.StringType),
		cel.Variable(fieldVariable, cel.StringType),
		cel.Variable(countVariable, cel.StringType),
		cel.OptionalTypes(),
		// Names that are numbers: CEL's own string() writes 1234567.0 as 1.234567e+06, and its int() takes what was rounded for exact.
		cel.Function(overloads.TypeConvertString, cel.Overload(overloads.DoubleToString, []*cel.Type{cel.DoubleType}, cel.StringType, cel.UnaryBinding(exactText))),
		cel.Function(overloads.TypeConvertInt, cel.Overload(overloads.DoubleToInt, []*cel.Type{cel.DoubleType}, cel.IntType, cel.UnaryBinding(exactInt))),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(maxDepth),
		// Only the first mistake is told, so little is spent on finding more of them.
		cel.ParserErrorRecoveryLimit(4),
	)
})

// errInexact says that a number may not be the one that the server sent.
var errInexact = errors.New("a whole number of 2^53 or more is not exact any more")

// isInexact reports whether a whole number is too large for floats to tell it from its neighbours.
func isInexact(number float64) bool { return number == math.Trunc(number) && math.Abs(number) >= 1<<53 }

// exactText writes whole numbers with all their digits and nothing else, since other digits are another site.
func exactText(value ref.Val) ref.Val {
	number, isDouble := value.(types.Double)
	switch {
	case !isDouble || float64(number) != math.Trunc(float64(number)) || math.IsInf(float64(number), 0):
		return value.ConvertToType(types.StringType)
	case isInexact(float64(number)):
		return types.WrapErr(errInexact)
	}
	return types.String(strconv.FormatFloat(float64(number), 'f', -1, 64))
}

// exactInt is int() for doubles. Fractions are cut off, as in CEL.
func exactInt(value ref.Val) ref.Val {
	if number, isDouble := value.(types.Double); isDouble && isInexact(float64(number)) {
		return types.WrapErr(errInexact)
	}
	return value.ConvertToType(types.IntType)
}

// expression is a compiled expression over a page.
type expression struct {
	// what names the expression in messages: "the extraction".
	what    string
	text    string
	program cel.Program
}

// compile reads an expression. kinds are the types that its result may have, besides those that show only when it runs.
func compile(what, text string, kinds ...types.Kind) (*expression, error) {
	if !utf8.ValidString(text) {
		return nil, invalid("%s is not a CEL expression over body: it is not UTF-8", what)
	}
	env, err := language()
	if err != nil {
		return nil, newError(InvalidConfiguration, err, "expressions cannot be read")
	}
	parsed, issues := env.Compile(text)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		return nil, newError(InvalidConfiguration, issues.Err(), "%s is not a CEL expression over body: line %d, column %d: %s",
			what, first.Location.Line(), first.Location.Column()+1, first.Message)
	}
	if got := parsed.OutputType(); !fits(got, kinds) {
		return nil, invalid("%s gives a %s: it must give %s", what, got, strings.Join(names(kinds), ", "))
	}
	program, err := env.Program(parsed, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(interruptEvery))
	if err != nil {
		return nil, newError(InvalidConfiguration, err, "%s cannot be run", what)
	}
	return &expression{what: what, text: text, program: program}, nil
}

func fits(got *cel.Type, kinds []types.Kind) bool {
	if got.Kind() == types.DynKind || got.Kind() == types.AnyKind || got.TypeName() == cel.OptionalType(cel.DynType).TypeName() {
		return true
	}
	for _, kind := range kinds {
		if got.Kind() == kind {
			return true
		}
	}
	return false
}

// kindNames are the kinds of results as people call them.
var kindNames = map[types.Kind]string{
	types.ListKind: "a list", types.MapKind: "a map", types.DoubleKind: "a number", types.StringKind: "a text", types.BoolKind: "true or false",
	types.NullTypeKind: "null",
}

func names(kinds []types.Kind) []string {
	var all []string
	for _, kind := range kinds {
		if name := kindNames[kind]; name != "" {
			all = append(all, name)
		}
	}
	return all
}

// evaluate runs the expression over one page. It returns nil for null and for a value that is not there. An error never repeats what is in the page.
func (e *expression) evaluate(ctx context.Context, body any, variables map[string]string) (ref.Val, error) {
	bound := map[string]any{bodyVariable: body}
	for _, name := range []string{labelVariable, fieldVariable, countVariable} {
		bound[name] = variables[name]
	}
	result, _, err := e.program.ContextEval(ctx, bound)
	if err != nil {
		return nil, e.failure(ctx, err)
	}
	if optional, is := result.(*types.Optional); is {
		if !optional.HasValue() {
			return nil, nil
		}
		result = optional.GetValue()
	}
	if result == types.NullValue {
		return nil, nil
	}
	return result, nil
}

// failure explains an evaluation that gave no result. CEL's own words can repeat values of the page, so only names that the expression has are told.
func (e *expression) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s ran out of time: %w", e.what, ctx.Err())
	}
	var canceled interpreter.EvalCancelledError
	if errors.As(err, &canceled) {
		return newError(ResponseTooLarge, err, "%s takes too many steps for one page: ask for smaller pages, or aggregate in the source", e.what)
	}
	if errors.Is(err, errInexact) {
		return newError(InvalidResponse, err, "%s does not fit the answer: it converts a number of 2^53 or more, which is not exact; have the source send it as text", e.what)
	}
	const missing, overload = "no such key: ", "no such overload"
	said := err.Error()
	if key, found := strings.CutPrefix(said, missing); found && key != "" && strings.Contains(e.text, key) {
		return newError(InvalidResponse, err, "%s does not fit the answer: there is no %q where it looks for one", e.what, key)
	}
	if strings.Contains(said, overload) {
		return newError(InvalidResponse, err,
			"%s does not fit the answer: a value is of another type than it takes it for (numbers of an answer are doubles: write 100.0, not 100)", e.what)
	}
	return newError(InvalidResponse, err, "%s does not fit the answer: is there something else in it than was expected?", e.what)
}

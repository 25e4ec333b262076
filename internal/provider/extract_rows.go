package provider

import (
	"errors"
	"math"
	"sort"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// Aggregate says what becomes of several rows for one site.
type Aggregate string

// The aggregates.
const (
	// AggregateNone: a site has one row; two make it ambiguous. It is what "" means.
	AggregateNone Aggregate = "None"
	// AggregateCount: the value is the number of rows.
	AggregateCount Aggregate = "Count"
	// AggregateSum: the value is the sum of the rows' values.
	AggregateSum Aggregate = "Sum"
	// AggregateMean: the value is the arithmetic mean of the rows' values.
	AggregateMean Aggregate = "Mean"
)

func (a Aggregate) known() bool {
	return a == "" || a == AggregateNone || a == AggregateCount || a == AggregateSum || a == AggregateMean
}

// single reports whether each site has one row.
func (a Aggregate) single() bool { return a == "" || a == AggregateNone }

// siteRow is one row of an answer, from any page of it.
type siteRow struct {
	site    string
	value   float64
	samples int64
	// missing is true when the row says that there is no value.
	missing bool
}

// The fields of a row besides the one that names the site.
const (
	valueField   = "value"
	samplesField = "samples"
)

// The ways in which a result is not rows. None of them repeats what is in it.
var (
	errNotRows    = errors.New("it gives neither a list of rows nor a map from site to value")
	errNotRow     = errors.New("a row is not an object with fields")
	errNoValue    = errors.New(`a row has no field "value": give it one, or null where there is none`)
	errNotNumber  = errors.New("a value is neither a number nor null: convert texts with double()")
	errNotSite    = errors.New("the site of a row is neither a text nor null: convert numbers with string()")
	errNoSite     = errors.New("a row has no field for the site: the KPI's siteLabel says how it is called (unset: site)")
	errOtherSite  = errors.New("a row names another site than the one that was asked for")
	errNotSamples = errors.New(`the field "samples" of a row is not a whole number of at least 0`)
)

// rowReader makes rows of what an extraction gives.
type rowReader struct {
	// label is the field that names the site.
	label string
	// site is the one that a per-site query asks for; "" when all are asked for.
	site string
	// counts is true when rows need no values.
	counts bool
}

// read understands a list of objects, a map from site to value, and for one site a number.
func (r rowReader) read(result ref.Val) ([]siteRow, error) {
	switch found := result.(type) {
	case nil:
		return nil, errNotRows
	case traits.Mapper:
		return r.readMap(found)
	case traits.Lister:
		return r.readList(found)
	}
	if r.site == "" {
		return nil, errNotRows
	}
	one := siteRow{site: r.site}
	if err := one.setValue(result); err != nil {
		return nil, err
	}
	return []siteRow{one}, nil
}

func (r rowReader) readMap(found traits.Mapper) ([]siteRow, error) {
	var rows []siteRow
	for each := found.Iterator(); each.HasNext() == types.True; {
		key := each.Next()
		site, isText := key.(types.String)
		if !isText {
			return nil, errNotSite
		}
		if r.site != "" && string(site) != r.site {
			return nil, errOtherSite
		}
		next := siteRow{site: string(site)}
		value, _ := found.Find(key)
		if err := next.setValue(value); err != nil {
			return nil, err
		}
		rows = append(rows, next)
	}
	// The order of a map is not the same twice, and that of a sum of floats would show it.
	sort.Slice(rows, func(i, j int) bool { return rows[i].site < rows[j].site })
	return rows, nil
}

func (r rowReader) readList(found traits.Lister) ([]siteRow, error) {
	var rows []siteRow
	for each := found.Iterator(); each.HasNext() == types.True; {
		fields, isObject := each.Next().(traits.Mapper)
		if !isObject {
			return nil, errNotRow
		}
		next, err := r.readRow(fields)
		if err != nil {
			return nil, err
		}
		rows = append(rows, next)
	}
	return rows, nil
}

func (r rowReader) readRow(fields traits.Mapper) (siteRow, error) {
	next := siteRow{site: r.site}
	if err := r.readSite(fields, &next); err != nil {
		return siteRow{}, err
	}
	value, found := fields.Find(types.String(valueField))
	switch {
	case found:
		if err := next.setValue(value); err != nil {
			return siteRow{}, err
		}
	case !r.counts:
		return siteRow{}, errNoValue
	}
	if samples, found := fields.Find(types.String(samplesField)); found && !absent(samples) {
		number, isNumber := floatOf(samples)
		if !isNumber || number < 0 || number != math.Trunc(number) || number >= math.MaxInt64 {
			return siteRow{}, errNotSamples
		}
		next.samples = int64(number)
	}
	return next, nil
}

func (r rowReader) readSite(fields traits.Mapper, next *siteRow) error {
	named, found := fields.Find(types.String(r.label))
	switch site, isText := named.(types.String); {
	case !found && r.site == "":
		return errNoSite
	case !found || absent(named):
	case !isText:
		return errNotSite
	case r.site != "" && string(site) != r.site:
		return errOtherSite
	default:
		next.site = string(site)
	}
	return nil
}

// setValue takes a number, or null for none.
func (r *siteRow) setValue(value ref.Val) error {
	if absent(value) {
		r.missing = true
		return nil
	}
	number, isNumber := floatOf(value)
	if !isNumber {
		return errNotNumber
	}
	r.value = number
	return nil
}

// absent recognises null and an optional value that is not there.
func absent(value ref.Val) bool {
	optional, is := value.(*types.Optional)
	return value == types.NullValue || is && !optional.HasValue()
}

func floatOf(value ref.Val) (float64, bool) {
	if optional, is := value.(*types.Optional); is && optional.HasValue() {
		value = optional.GetValue()
	}
	switch number := value.(type) {
	case types.Double:
		return float64(number), true
	case types.Int:
		return float64(number), true
	case types.Uint:
		return float64(number), true
	}
	return 0, false
}

// settle makes an answer of the rows of all pages.
func settle(rows []siteRow, aggregate Aggregate, w Window) Answer {
	if !aggregate.single() {
		rows = aggregated(rows, aggregate)
	}
	times := map[string]int{}
	for _, r := range rows {
		times[r.site]++
	}
	samples := make([]Sample, 0, len(rows))
	for _, r := range rows {
		// A row without a value is left out, unless there is another one for the site: then nobody knows which of them is right.
		if r.missing && times[r.site] == 1 {
			continue
		}
		samples = append(samples, Sample{Site: r.site, Value: r.value, Time: w.End, Samples: r.samples})
	}
	return bySite(samples)
}

// aggregated makes one row per site of all that have a value. Rows that name no site stay as they are: they are counted, not added up.
func aggregated(rows []siteRow, aggregate Aggregate) []siteRow {
	var out []siteRow
	at := map[string]int{}
	for _, r := range rows {
		i, known := at[r.site]
		switch {
		case r.missing:
			continue
		case r.site == "" || !known:
			at[r.site] = len(out)
			r.samples = 1
			out = append(out, r)
			continue
		}
		out[i].value += r.value
		out[i].samples++
	}
	for i := range out {
		switch aggregate {
		case AggregateCount:
			out[i].value = float64(out[i].samples)
		case AggregateMean:
			out[i].value /= float64(out[i].samples)
		}
	}
	return out
}

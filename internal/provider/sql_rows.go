package provider

import (
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxSiteName is the longest name of a site that is read, in bytes. Names of Kubernetes objects and values of labels are shorter.
const maxSiteName = 512

// columns are the places of an answer's columns; -1 where there is none.
type columns struct{ site, value, samples int }

// read reads all rows.
func (s *sqlSource) read(rows *sql.Rows, q Query) ([]siteRow, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	places, err := s.columns(types, q)
	if err != nil {
		return nil, err
	}
	fields := make([]any, len(types))
	into := make([]any, len(types))
	for i := range fields {
		into[i] = &fields[i]
	}
	var read []siteRow
	for count := 1; rows.Next(); count++ {
		if count > s.maxRows {
			return nil, newError(ResponseTooLarge, nil, "%s answered with more than %d rows: group by site in the query, or raise maxRows", s.host, s.maxRows)
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row, err := places.row(fields, types)
		if err != nil {
			return nil, newError(InvalidResponse, nil, "row %d: %s", count, err)
		}
		if q.Site != "" {
			row.site = q.Site
		}
		read = append(read, row)
	}
	return read, rows.Err()
}

// columns finds the columns by their names, in any case.
func (s *sqlSource) columns(types []*sql.ColumnType, q Query) (columns, error) {
	found := columns{-1, -1, -1}
	wanted := map[string]*int{"value": &found.value, "samples": &found.samples}
	need := `"value"`
	if q.Site == "" {
		wanted[strings.ToLower(q.SiteLabel)] = &found.site
		need = fmt.Sprintf(`%q and "value"`, q.SiteLabel)
	}
	for i, column := range types {
		place, known := wanted[strings.ToLower(column.Name())]
		switch {
		case !known:
			return found, newError(InvalidResponse, nil, `the query returned the column %q: it must return the columns %s, and "samples" if you like; name them with AS`,
				s.redactor.clean(column.Name()), need)
		case *place >= 0:
			return found, newError(InvalidResponse, nil, "the query returned the column %q twice", s.redactor.clean(column.Name()))
		}
		*place = i
	}
	if found.value < 0 || q.Site == "" && found.site < 0 {
		return found, newError(InvalidResponse, nil, `the query must return the columns %s; name them with AS`, need)
	}
	return found, nil
}

// row reads one row. NULL is no value, which is not zero.
func (c columns) row(fields []any, types []*sql.ColumnType) (siteRow, error) {
	row := siteRow{missing: fields[c.value] == nil}
	var err error
	if !row.missing {
		if row.value, err = number(fields[c.value], types[c.value]); err != nil {
			return row, err
		}
	}
	if c.site >= 0 {
		if row.site, err = siteName(fields[c.site], types[c.site]); err != nil {
			return row, err
		}
	}
	if c.samples >= 0 {
		row.samples, err = observations(fields[c.samples], types[c.samples])
	}
	return row, err
}

// siteName reads text or a whole number. NULL is no name.
func siteName(field any, column *sql.ColumnType) (string, error) {
	name := ""
	switch v := field.(type) {
	case nil:
	case int64:
		name = strconv.FormatInt(v, 10)
	case uint64:
		name = strconv.FormatUint(v, 10)
	case string:
		name = v
	case []byte:
		name = string(v)
	default:
		return "", unfit(column, "text or a whole number")
	}
	// PostgreSQL fills character(n) with spaces that mean nothing.
	if column.DatabaseTypeName() == "BPCHAR" {
		name = strings.TrimRight(name, " ")
	}
	if len(name) > maxSiteName || !utf8.ValidString(name) {
		return "", fmt.Errorf("column %q names no site: its text is longer than %d bytes or not valid UTF-8", column.Name(), maxSiteName)
	}
	return name, nil
}

// number reads integers, decimals, floating point numbers and text that is a number. No message repeats a text: it may be
// anything that the database holds.
func number(field any, column *sql.ColumnType) (float64, error) {
	switch v := field.(type) {
	case int64:
		return float64(v), nil
	case uint64:
		return float64(v), nil
	case float32:
		return fromSingle(v), nil
	case float64:
		if column.DatabaseTypeName() == "FLOAT4" {
			return fromSingle(float32(v)), nil
		}
		return v, nil
	}
	text, isText := asText(field)
	if !isText {
		return 0, unfit(column, "a number")
	}
	parsed, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("column %q (%s) holds text that is no number, or one that is too large", column.Name(), column.DatabaseTypeName())
	}
	return parsed, nil
}

// fromSingle reads a number of single precision as the database prints it: 0.1 and not 0.10000000149.
func fromSingle(v float32) float64 {
	// The text of a number is a number.
	parsed, _ := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	return parsed
}

// observations reads a count. NULL is none: the source does not tell.
func observations(field any, column *sql.ColumnType) (int64, error) {
	if field == nil {
		return 0, nil
	}
	count, whole := field.(int64)
	if unsigned, is := field.(uint64); is && unsigned <= math.MaxInt64 {
		count, whole = int64(unsigned), true
	}
	if text, isText := asText(field); isText {
		// sum() makes decimals of integers, with zeros after the point if there is one.
		if before, after, found := strings.Cut(text, "."); found && strings.Trim(after, "0") == "" {
			text = before
		}
		parsed, err := strconv.ParseInt(text, 10, 64)
		count, whole = parsed, err == nil
	}
	if float, isFloat := field.(float64); isFloat && float == math.Trunc(float) && math.Abs(float) < 1<<53 {
		count, whole = int64(float), true
	}
	if !whole || count < 0 {
		return 0, fmt.Errorf("column %q (%s) must hold whole numbers that are not negative", column.Name(), column.DatabaseTypeName())
	}
	return count, nil
}

func asText(field any) (string, bool) {
	switch v := field.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	}
	return "", false
}

func unfit(column *sql.ColumnType, wanted string) error {
	return fmt.Errorf("column %q is of type %s: it must be %s", column.Name(), column.DatabaseTypeName(), wanted)
}

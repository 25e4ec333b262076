package kpis

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// tables writes the facts as SQL that both databases understand.
func (c *company) tables() string {
	var text strings.Builder
	insert := func(table string, rows [][]any) {
		fmt.Fprintf(&text, "INSERT INTO %s VALUES\n", table)
		for i, row := range rows {
			cells := make([]string, len(row))
			for j, cell := range row {
				cells[j] = literal(cell)
			}
			fmt.Fprintf(&text, "(%s)%s\n", strings.Join(cells, ", "), map[bool]string{true: ";", false: ","}[i == len(rows)-1])
		}
	}
	insert("customers", rowsOf(c.customers, func(id int, r customer) []any {
		return []any{id, r.site, r.name, r.email, r.phone, r.country, r.created, r.updated, r.since, r.lost}
	}))
	insert("users", rowsOf(c.users, func(_ int, u *user) []any { return []any{u.id, u.site, u.role, u.from, u.until} }))
	insert("activities", rowsOf(c.activities, func(id int, a activity) []any { return []any{id, a.user.id, a.kind, a.at} }))
	insert("leads", rowsOf(c.leads, func(id int, l lead) []any { return []any{id, l.site, l.created, l.answered} }))
	insert("opportunities", rowsOf(c.opportunities, func(id int, o opportunity) []any {
		return []any{id, o.site, o.status, money(o.cents), o.created, o.closed}
	}))
	insert("cases", rowsOf(c.cases, func(id int, r serviceCase) []any { return []any{id, r.site, unknown(r.contacts), r.opened, r.resolved} }))
	insert("survey_answers", rowsOf(c.answers, func(id int, a surveyAnswer) []any { return []any{id, a.site, unknown(a.score), a.answered} }))
	return text.String()
}

func rowsOf[T any](facts []T, row func(id int, fact T) []any) [][]any {
	rows := make([][]any, len(facts))
	for i, fact := range facts {
		rows[i] = row(i+1, fact)
	}
	return rows
}

// money is an amount in cents as a decimal; nothing when it is not known.
func money(cents int) any {
	if cents < 0 {
		return nil
	}
	return float64(cents) / 100
}

// unknown is a number; nothing when it is zero.
func unknown(number int) any {
	if number == 0 {
		return nil
	}
	return number
}

func literal(cell any) string {
	switch v := cell.(type) {
	case int:
		return strconv.Itoa(v)
	case float64:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case string:
		if v != "" {
			return "'" + v + "'"
		}
	case time.Time:
		if !v.IsZero() {
			return v.UTC().Format("'2006-01-02 15:04:05.000000'")
		}
	}
	return "NULL"
}

package main

import (
	"fmt"
	"strings"
)

// finding is what a linter says about a place.
type finding struct {
	linter string
	file   string
	line   int
	text   string
}

func (f finding) String() string {
	return fmt.Sprintf("%s:%d: %s (%s)", f.file, f.line, f.text, f.linter)
}

// result is what became of one plant.
type result struct {
	plant plant
	// found is the finding that was expected, where there is one.
	found finding
	// wrong says what is not as expected; empty: nothing.
	wrong string
}

// judge compares what was planted with what was found.
func judge(planted []plant, found []finding) []result {
	results := make([]result, 0, len(planted))
	for _, p := range planted {
		results = append(results, judgeOne(p, found))
	}
	return results
}

func judgeOne(p plant, found []finding) result {
	for _, f := range found {
		if f.file != p.file {
			continue
		}
		if p.finder == "" {
			return result{plant: p, found: f, wrong: "is within the rules, but: " + f.String()}
		}
		if f.linter == p.finder && strings.Contains(f.text, p.says) {
			return result{plant: p, found: f}
		}
	}
	if p.finder == "" {
		return result{plant: p}
	}
	return result{plant: p, wrong: fmt.Sprintf("%s did not find it (no finding with %q)", p.finder, p.says)}
}

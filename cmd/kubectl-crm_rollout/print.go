package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/yaml"
)

// printer returns the function that writes results in the form that was asked for.
func printer(output string) (func(io.Writer, []result) error, error) {
	switch output {
	case "":
		return lines, nil
	case "json":
		return func(w io.Writer, results []result) error {
			encoder := json.NewEncoder(w)
			encoder.SetIndent("", "  ")
			return encoder.Encode(results)
		}, nil
	case "yaml":
		return func(w io.Writer, results []result) error {
			text, err := yaml.Marshal(results)
			if err != nil {
				return err
			}
			_, err = w.Write(text)
			return err
		}, nil
	}
	return nil, fmt.Errorf("-o is json or yaml, not %q", output)
}

func lines(w io.Writer, results []result) error {
	for _, r := range results {
		if _, err := fmt.Fprintln(w, r.line()); err != nil {
			return err
		}
	}
	return nil
}

// line tells a result in one line.
func (r result) line() string {
	name := r.Name
	if r.Namespace != "" {
		name = r.Namespace + "/" + r.Name
	}
	verdict := "OK"
	if !r.OK {
		verdict = "FAULT"
	}
	line := fmt.Sprintf("%s: %s %d steps", name, verdict, r.Steps)
	if r.Head != "" {
		line += ", head " + r.Head
	}
	said := append(append([]string{}, r.Faults...), r.Notes...)
	if len(said) > 0 {
		line += ": " + strings.Join(said, "; ")
	}
	return line
}

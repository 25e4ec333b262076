// Command lintproof shows that lint finds what it is there for. In a copy of the tree it plants a violation of each rule of
// the house, and files that lie just within a rule, and compares what the linters say with what they should say.
// The copy without plants must be clean.
//
// All violations lie in files of their own and are linted in one run, which takes seconds instead of minutes.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"slices"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := prove(ctx, os.Getenv("GOLANGCI_LINT")); err != nil {
		fmt.Fprintln(os.Stderr, "lintproof:", err)
		stop()
		os.Exit(1)
	}
}

func prove(ctx context.Context, linter string) error {
	if linter == "" {
		return errors.New("GOLANGCI_LINT is not set: run make lint-proof")
	}
	tree, err := os.MkdirTemp("", "lintproof-")
	if err != nil {
		return fmt.Errorf("make a directory for the copy: %w", err)
	}
	defer func() { _ = os.RemoveAll(tree) }()
	if err := copyTree(ctx, ".", tree); err != nil {
		return err
	}

	planted := plants()
	unplanted, err := lint(ctx, linter, tree, packagesOf(tree, planted))
	if err != nil {
		return err
	}
	for _, p := range planted {
		if err := write(filepath.Join(tree, p.file), p.source, 0o644); err != nil {
			return err
		}
	}
	found, err := lint(ctx, linter, tree, packagesOf(tree, planted))
	if err != nil {
		return err
	}
	return report(judge(planted, found), unplanted)
}

// packagesOf lists the Go packages, of those that plants go to, that exist in the tree.
func packagesOf(tree string, planted []plant) []string {
	var packages []string
	for _, p := range planted {
		directory := path.Dir(p.file)
		files, err := filepath.Glob(filepath.Join(tree, directory, "*.go"))
		if err == nil && len(files) > 0 && !slices.Contains(packages, "./"+directory) {
			packages = append(packages, "./"+directory)
		}
	}
	return packages
}

// report prints what became of each plant, and what was found without them.
func report(results []result, unplanted []finding) error {
	wrong := 0
	for _, r := range results {
		verdict, detail := "clean", r.plant.file
		switch {
		case r.wrong != "":
			wrong++
			verdict, detail = "WRONG", r.plant.file+": "+r.wrong
		case r.plant.finder != "":
			verdict, detail = "found", fmt.Sprintf("%s:%d", r.found.file, r.found.line)
		}
		fmt.Printf("%-6s %-13s %-46s %s\n", verdict, r.plant.finder, r.plant.rule, detail)
	}
	for _, f := range unplanted {
		fmt.Println("not planted:", f)
	}
	fmt.Printf("%d files planted, %d not as expected; %d findings without them\n", len(results), wrong, len(unplanted))
	if wrong+len(unplanted) > 0 {
		return errors.New("lint does not guard the rules as it should, or the tree breaks them")
	}
	return nil
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// copyTree copies what git knows or would add into a directory, and makes that a repository of its own.
func copyTree(ctx context.Context, from, to string) error {
	listed, err := output(ctx, from, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return err
	}
	for _, name := range strings.Split(strings.TrimRight(listed, "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // removed, but git still has it
		}
		if err != nil {
			return fmt.Errorf("copy the tree: %w", err)
		}
		mode := os.FileMode(0o644)
		if strings.HasSuffix(name, ".sh") {
			mode = 0o755
		}
		if err := write(filepath.Join(to, name), string(content), mode); err != nil {
			return err
		}
	}
	_, err = output(ctx, to, "git", "init", "--quiet")
	return err
}

func write(path, content string, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make a directory for %s: %w", path, err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// lint runs golangci-lint on packages and hack/words.sh on the whole tree.
func lint(ctx context.Context, linter, tree string, packages []string) ([]finding, error) {
	arguments := append([]string{"run", "--allow-parallel-runners", "--show-stats=false", "--output.json.path=stdout"}, packages...)
	out, err := output(ctx, tree, linter, arguments...)
	if err != nil {
		return nil, err
	}
	found, err := parseIssues(out)
	if err != nil {
		return nil, err
	}
	words, err := output(ctx, tree, "hack/words.sh")
	if err != nil {
		return nil, err
	}
	return append(found, parseWords(words)...), nil
}

// output runs a program. Linters end with 1 when they found something, which is not an error here.
func output(ctx context.Context, directory, program string, arguments ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, program, arguments...)
	command.Dir, command.Stdout, command.Stderr = directory, &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 && stdout.Len() > 0 {
		return stdout.String(), nil
	}
	if err != nil {
		return "", fmt.Errorf("run %s: %w: %s", program, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

func parseIssues(out string) ([]finding, error) {
	var report struct {
		Issues []struct {
			FromLinter string
			Text       string
			Pos        struct {
				Filename string
				Line     int
			}
		}
	}
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&report); err != nil {
		return nil, fmt.Errorf("read the linter's report: %w", err)
	}
	var found []finding
	for _, issue := range report.Issues {
		found = append(found, finding{issue.FromLinter, filepath.ToSlash(issue.Pos.Filename), issue.Pos.Line, issue.Text})
	}
	return found, nil
}

// parseWords reads lines of the form file:line:text.
func parseWords(out string) []finding {
	var found []finding
	for _, text := range splitLines(out) {
		parts := strings.SplitN(text, ":", 3)
		if len(parts) != 3 {
			continue
		}
		if line, err := strconv.Atoi(parts[1]); err == nil {
			found = append(found, finding{"words", parts[0], line, parts[2]})
		}
	}
	return found
}

func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// Package docs checks what the documents say against what is there: links, commands, reasons, flags, metrics, examples.
package docs

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// root is the repository, seen from the directory that the tests run in.
const root = "../.."

// page is a document, taken apart.
type page struct {
	// path from the repository's root, with slashes.
	path string
	// anchors are the fragments that a link to the page may have.
	anchors map[string]bool
	// links are the targets of links and images.
	links []string
	// code is everything in code spans and code blocks, a line each.
	code []string
	// examples are the fenced blocks of YAML.
	examples []string
}

var (
	heading  = regexp.MustCompile(`^#{1,6} +(.*?) *#*$`)
	link     = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	span     = regexp.MustCompile("`([^`]+)`")
	inLink   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	fence    = regexp.MustCompile("^```([a-z]*)$")
	namedTag = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
)

// parse takes a document apart. It knows as much of Markdown as the documents use.
func parse(path, text string) page {
	p := page{path: path, anchors: map[string]bool{}}
	fenced, language := false, ""
	var example strings.Builder
	scanner := bufio.NewScanner(strings.NewReader(text))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := scanner.Text()
		if match := fence.FindStringSubmatch(line); match != nil {
			if fenced && language == "yaml" {
				p.examples = append(p.examples, example.String())
			}
			fenced, language = !fenced, match[1]
			example.Reset()
			continue
		}
		switch {
		case fenced:
			p.code = append(p.code, line)
			example.WriteString(line + "\n")
		case strings.HasPrefix(line, "    "):
			p.code = append(p.code, line)
		default:
			p.prose(line)
		}
	}
	return p
}

func (p *page) prose(line string) {
	for _, match := range span.FindAllStringSubmatch(line, -1) {
		p.code = append(p.code, match[1])
	}
	for _, match := range link.FindAllStringSubmatch(span.ReplaceAllString(line, ""), -1) {
		p.links = append(p.links, match[1])
	}
	for _, match := range namedTag.FindAllStringSubmatch(line, -1) {
		p.anchors[match[1]] = true
	}
	if match := heading.FindStringSubmatch(line); match != nil {
		p.anchors[slug(match[1])] = true
	}
}

// slug is the anchor that a heading gets: small letters, digits, '-' and '_'; spaces become '-', everything else goes.
func slug(heading string) string {
	text := inLink.ReplaceAllString(heading, "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '-':
			return '-'
		case r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, text)
}

// pages reads all documents below a directory, but those of things that were built or fetched.
func pages(t *testing.T, dir string) map[string]page {
	t.Helper()
	found := map[string]page{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); name == "bin" || name == ".git" {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		found[filepath.ToSlash(name)] = parse(filepath.ToSlash(name), string(bytes.ReplaceAll(text, []byte("\r"), nil)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

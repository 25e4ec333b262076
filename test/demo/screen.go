package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Styles are escape sequences for a terminal; on anything else they are empty.
type styles struct{ bold, faint, red, green, yellow, plain string }

// Screen shows lines that stay, and below them a table that is drawn again and again. Where there is no terminal it shows
// the lines only.
type Screen struct {
	out   io.Writer
	width func() int
	style styles
	live  bool
	drawn int
}

// NewScreen shows on a file. It draws tables and colours when that is a terminal; NO_COLOR in the environment keeps
// colours away.
func NewScreen(file *os.File) *Screen {
	s := &Screen{out: file, width: func() int { return 0 }}
	descriptor := int(file.Fd())
	if !term.IsTerminal(descriptor) {
		return s
	}
	s.live = true
	s.width = func() int {
		width, _, err := term.GetSize(descriptor)
		if err != nil {
			return 80
		}
		return width
	}
	if os.Getenv("NO_COLOR") == "" {
		s.style = styles{bold: "\x1b[1m", faint: "\x1b[2m", red: "\x1b[31m", green: "\x1b[32m", yellow: "\x1b[33m", plain: "\x1b[0m"}
	}
	return s
}

// Live says whether tables are drawn.
func (s *Screen) Live() bool { return s.live }

// Say shows lines that stay, above the table.
func (s *Screen) Say(lines ...string) {
	s.erase()
	for _, line := range lines {
		fmt.Fprintln(s.out, line)
	}
}

// Sayf shows one formatted line that stays.
func (s *Screen) Sayf(format string, args ...any) { s.Say(fmt.Sprintf(format, args...)) }

// Draw replaces the table. A line that is too long is cut, because one that wraps could not be erased.
func (s *Screen) Draw(lines []string) {
	if !s.live {
		return
	}
	var text strings.Builder
	s.eraseInto(&text)
	for _, line := range lines {
		text.WriteString(cut(line, s.width()))
		text.WriteString(s.style.plain + "\n")
	}
	s.drawn = len(lines)
	fmt.Fprint(s.out, text.String())
}

// Keep makes what is drawn stay.
func (s *Screen) Keep() { s.drawn = 0 }

func (s *Screen) erase() {
	var text strings.Builder
	s.eraseInto(&text)
	fmt.Fprint(s.out, text.String())
}

// eraseInto moves to the first line of the table and clears from there.
func (s *Screen) eraseInto(text *strings.Builder) {
	if s.drawn > 0 {
		fmt.Fprintf(text, "\x1b[%dA\x1b[J", s.drawn)
	}
	s.drawn = 0
}

// cut shortens a line to a number of visible characters. Escape sequences take no room. 0 means no limit.
func cut(line string, width int) string {
	if width <= 0 {
		return line
	}
	visible, escape := 0, false
	for i, r := range line {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		case visible == width:
			return line[:i]
		default:
			visible++
		}
	}
	return line
}

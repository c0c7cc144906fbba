package traceqltest

import (
	"bytes"
	"fmt"
	"strings"
)

// line is a line of a script.
type line struct {
	number int // from 1
	indent int // spaces before text
	text   string
}

// command is a line without indent, and what is below it.
type command struct {
	line
	before []string // blank lines and comments
	below  []line
}

// script is a script in its parts.
type script struct {
	commands []command
	after    []string // blank lines and comments at the end
}

// parseScript takes a script apart.
func parseScript(content []byte) (*script, error) {
	s := &script{}
	var between []string
	for i, raw := range strings.Split(strings.TrimSuffix(string(content), "\n"), "\n") {
		text := strings.TrimLeft(raw, " ")
		l := line{number: i + 1, indent: len(raw) - len(text), text: strings.TrimRight(text, " ")}
		switch {
		case l.text == "" || strings.HasPrefix(l.text, "#"):
			between = append(between, strings.TrimRight(raw, " "))
		case l.indent == 0:
			s.commands = append(s.commands, command{line: l, before: between})
			between = nil
		case len(s.commands) == 0:
			return nil, fmt.Errorf("line %d: %q belongs to no command", l.number, l.text)
		default:
			last := &s.commands[len(s.commands)-1]
			last.below = append(last.below, l)
		}
	}
	s.after = between
	return s, nil
}

// bytes writes the script down again.
func (s *script) bytes() []byte {
	var b bytes.Buffer
	for _, c := range s.commands {
		for _, text := range c.before {
			b.WriteString(text + "\n")
		}
		b.WriteString(c.text + "\n")
		for _, l := range c.below {
			b.WriteString(strings.Repeat(" ", l.indent) + l.text + "\n")
		}
	}
	for _, text := range s.after {
		b.WriteString(text + "\n")
	}
	return b.Bytes()
}

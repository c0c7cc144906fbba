package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// progressDelay keeps short work silent.
	progressDelay = time.Second
	// progressInterval is between two updates.
	progressInterval = 200 * time.Millisecond
)

// progress is a line on a terminal that tells how far long work has come.
type progress struct {
	w     io.Writer // nil: nobody looks
	what  string
	total int64
	next  time.Time
	shown bool
}

// newProgress begins work of so many bytes. Nothing is printed unless w is a
// terminal.
func newProgress(w io.Writer, what string, total int64) *progress {
	if !isTerminal(w) {
		w = nil
	}
	return &progress{w: w, what: what, total: total, next: time.Now().Add(progressDelay)}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// update tells that so many bytes are done.
func (p *progress) update(done int64) {
	p.say(func() string { return fmt.Sprintf("%3d %% of %s", 100*done/max(p.total, 1), formatBytes(p.total)) })
}

// say shows how far the work is, if it is time to. Texts must not become shorter.
func (p *progress) say(text func() string) {
	if p.w == nil || time.Now().Before(p.next) {
		return
	}
	p.next = time.Now().Add(progressInterval)
	p.shown = true
	fmt.Fprintf(p.w, "\r%s %s", p.what, text())
}

// end removes the line.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	// lineInterval is between two lines of progress where there is no terminal.
	lineInterval = 10 * time.Second
	// barWidth is that of the bar, in characters.
	barWidth = 24
)

// verifyOutput prints what is found as soon as it is, and how far the work has
// come.
type verifyOutput struct {
	out, err io.Writer
	form     outputForm
	terminal bool // err is one

	mu    sync.Mutex
	begun time.Time
	next  time.Time // of the next update
	shown bool      // there is a bar

	blocks, blocksDone int
	bytes, bytesDone   int64
	bad                int
}

// finding is what is printed of a block that is not good.
type finding interface{ print(w io.Writer) }

func newVerifyOutput(e env, form outputForm) *verifyOutput {
	now := time.Now()
	o := &verifyOutput{out: e.stdout, err: e.stderr, form: form, terminal: isTerminal(e.stderr), begun: now}
	o.next = now.Add(o.interval())
	return o
}

func (o *verifyOutput) interval() time.Duration {
	if o.terminal {
		return progressInterval
	}
	return lineInterval
}

// expect adds blocks to the work.
func (o *verifyOutput) expect(list []blockEntry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.blocks += len(list)
	for i := range list {
		o.bytes += list[i].Bytes
	}
}

// damaged, failed and gone print a finding.
func (o *verifyOutput) damaged(b *damagedBlock) { o.print(b, true) }
func (o *verifyOutput) failed(b *failedBlock)   { o.print(b, true) }
func (o *verifyOutput) gone(b *goneBlock)       { o.print(b, false) }

func (o *verifyOutput) print(f finding, bad bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if bad {
		o.bad++
	}
	if o.form == outputText {
		o.clear()
		f.print(o.out)
	}
}

// clear removes the bar.
func (o *verifyOutput) clear() {
	if o.shown {
		fmt.Fprint(o.err, "\r\x1b[K")
		o.shown = false
	}
}

// end prints the whole.
func (o *verifyOutput) end(r *verifyReport) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clear()
	if o.form == outputJSON {
		return printJSON(o.out, r)
	}
	return r.print(o.out)
}

// verifyWork is one block being verified, by one goroutine.
type verifyWork struct {
	out   *verifyOutput
	block blockEntry
	steps int64 // that each byte takes: reading it, and comparing its rows
	done  int64 // bytes of the block that were reported
}

func (o *verifyOutput) begin(b blockEntry, steps int64) *verifyWork {
	return &verifyWork{out: o, block: b, steps: steps}
}

// read reports that so many bytes were read.
func (w *verifyWork) read(bytes int64) { w.advance(bytes / w.steps) }

// compared reports that so many rows were compared.
func (w *verifyWork) compared(rows int) {
	w.advance((w.block.Bytes + w.block.Bytes*int64(rows)/max(int64(w.block.Spans), 1)) / w.steps)
}

// end reports that nothing is left of the block.
func (w *verifyWork) end() {
	w.advance(w.block.Bytes)
	w.out.mu.Lock()
	defer w.out.mu.Unlock()
	w.out.blocksDone++
}

func (w *verifyWork) advance(done int64) {
	done = min(done, w.block.Bytes)
	if done <= w.done {
		return // it was begun anew
	}
	w.out.advance(done - w.done)
	w.done = done
}

func (o *verifyOutput) advance(bytes int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytesDone += bytes
	now := time.Now()
	if now.Before(o.next) {
		return
	}
	o.next = now.Add(o.interval())
	if o.terminal {
		fmt.Fprintf(o.err, "\r%s %s\x1b[K", o.bar(), o.state(now))
		o.shown = true
	} else {
		fmt.Fprintf(o.err, "verify: %s\n", o.state(now))
	}
}

func (o *verifyOutput) bar() string {
	full := int(barWidth * o.bytesDone / max(o.bytes, 1))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "]"
}

// state says how far the work has come, and how long the rest takes if it goes
// on like that.
func (o *verifyOutput) state(now time.Time) string {
	text := fmt.Sprintf("%3d %%, %d of %d blocks, %s of %s", 100*o.bytesDone/max(o.bytes, 1),
		o.blocksDone, o.blocks, formatBytes(o.bytesDone), formatBytes(o.bytes))
	if o.bad > 0 {
		text += fmt.Sprintf(", %d bad", o.bad)
	}
	if o.bytesDone > 0 {
		elapsed := now.Sub(o.begun)
		left := time.Duration(float64(elapsed) / float64(o.bytesDone) * float64(o.bytes-o.bytesDone))
		text += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	return text
}

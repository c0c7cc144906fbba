package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// exportState is what an export is of and how far it is. Everything before
// Offset of the output is of slices that are done.
type exportState struct {
	Project string `json:"project"`
	Query   string `json:"q"`
	Format  string `json:"format"`
	Columns string `json:"columns,omitempty"`
	From    int64  `json:"from"` // Unix seconds
	To      int64  `json:"to"`
	Next    int64  `json:"next"` // where the next slice begins
	Offset  int64  `json:"offset"`
	Traces  int    `json:"traces"`
	Spans   int    `json:"spans"`
	Gone    int    `json:"gone"`
}

// exportOutput is a file with its state beside it, or standard output.
type exportOutput struct {
	w    *bufio.Writer
	file *os.File // nil: standard output

	statePath           string
	state               exportState
	traces, spans, gone int // written after the state
}

// openExport begins an export or goes on with one.
func openExport(cfg *exportConfig, begin exportState, stdout io.Writer) (*exportOutput, error) {
	if cfg.out == "-" {
		return &exportOutput{w: bufio.NewWriter(stdout), state: begin}, nil
	}
	o := &exportOutput{statePath: cfg.out + ".state", state: begin}
	if cfg.resume {
		return o, o.reopen(cfg)
	}
	for _, path := range []string{cfg.out, o.statePath} {
		if _, err := os.Lstat(path); err == nil {
			return nil, fmt.Errorf("%s exists: go on with an interrupted export by -resume, or choose another -out", path)
		}
	}
	// The state comes first: an output without one is complete.
	if err := o.save(); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(cfg.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, errors.Join(err, os.Remove(o.statePath))
	}
	o.file, o.w = file, bufio.NewWriter(file)
	return o, nil
}

// reopen cuts the output back to what is sure.
func (o *exportOutput) reopen(cfg *exportConfig) error {
	text, err := os.ReadFile(o.statePath)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is nothing to resume: %s does not exist, so the export to %s is complete or was never begun", o.statePath, cfg.out)
	}
	if err != nil {
		return err
	}
	saved, err := parseExportState(text)
	if err != nil {
		return fmt.Errorf("%s: %w: delete it and the output, and begin anew", o.statePath, err)
	}
	if err := saved.sameAs(&o.state, !cfg.from.IsZero(), !cfg.to.IsZero()); err != nil {
		return &usageError{err}
	}
	o.state = saved
	file, err := os.OpenFile(cfg.out, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && info.Size() < saved.Offset {
		err = fmt.Errorf("%s has %d bytes and had %d when the export was interrupted: delete it and %s, and begin anew",
			cfg.out, info.Size(), saved.Offset, o.statePath)
	}
	if err == nil {
		err = file.Truncate(saved.Offset)
	}
	if err == nil {
		_, err = file.Seek(saved.Offset, io.SeekStart)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	o.file, o.w = file, bufio.NewWriter(file)
	return nil
}

// parseExportState reads a state file.
func parseExportState(text []byte) (exportState, error) {
	var s exportState
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("not the state of an export: %w", err)
	}
	if s.Offset < 0 || s.From < 0 || s.From >= s.To || s.Next < s.From || s.Next > s.To || s.Traces < 0 || s.Spans < 0 || s.Gone < 0 {
		return s, errors.New("not the state of an export: its numbers do not fit together")
	}
	return s, nil
}

// sameAs is an error that names what another command line asks for.
func (s *exportState) sameAs(asked *exportState, from, to bool) error {
	for _, f := range []struct{ name, was, is string }{
		{"project", s.Project, asked.Project},
		{"q", s.Query, asked.Query},
		{"format", s.Format, asked.Format},
		{"columns", s.Columns, asked.Columns},
	} {
		if f.was != f.is {
			return fmt.Errorf("the export to resume was begun with another %s: %q, not %q", f.name, f.was, f.is)
		}
	}
	if from && s.From != asked.From || to && s.To != asked.To {
		return errors.New("the export to resume was begun with another time range: leave out from and to")
	}
	return nil
}

// checkpoint makes everything written sure, and what begins before next done.
func (o *exportOutput) checkpoint(next int64) error {
	if err := o.w.Flush(); err != nil {
		return err
	}
	o.state.Next = next
	o.state.Traces, o.state.Spans, o.state.Gone = o.state.Traces+o.traces, o.state.Spans+o.spans, o.state.Gone+o.gone
	o.traces, o.spans, o.gone = 0, 0, 0
	if o.file == nil {
		return nil
	}
	// Only what is on the disk may be in the state.
	if err := o.file.Sync(); err != nil {
		return err
	}
	offset, err := o.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	o.state.Offset = offset
	return o.save()
}

// save replaces the state file.
func (o *exportOutput) save() error {
	text, err := json.Marshal(&o.state)
	if err != nil {
		return err
	}
	next := o.statePath + ".new"
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(next, o.statePath)
}

// close closes the output; a complete one needs no state any more.
func (o *exportOutput) close(complete bool) error {
	if o.file == nil {
		return o.w.Flush()
	}
	err := o.file.Close()
	if complete && err == nil {
		err = os.Remove(o.statePath)
	}
	return err
}

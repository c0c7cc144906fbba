package main

import (
	"errors"
	"flag"
	"io"
)

// outputForm is the form of what a command prints.
type outputForm string

const (
	outputText outputForm = "text"
	outputJSON outputForm = "json"
)

func (o *outputForm) register(f *flag.FlagSet) {
	*o = outputText
	f.Var(o, "output", "`Form` of the output: text or json.")
}

// String implements flag.Value.
func (o *outputForm) String() string { return string(*o) }

// Set implements flag.Value.
func (o *outputForm) Set(s string) error {
	if outputForm(s) != outputText && outputForm(s) != outputJSON {
		return errors.New("want text or json")
	}
	*o = outputForm(s)
	return nil
}

// parseMixed parses a command line in which flags and arguments may come in
// any order, and returns the arguments.
func parseMixed(fs *flag.FlagSet, args []string) ([]string, error) {
	fs.SetOutput(io.Discard)
	var rest []string
	for {
		if err := fs.Parse(args); err != nil {
			return nil, &usageError{err}
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, fs.Arg(0)), fs.Args()[1:]
	}
}

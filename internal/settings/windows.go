package settings

import (
	"fmt"
	"strings"
	"time"
)

// Windows is a tree of merge windows: durations, as one flag separated by commas and as a list in YAML.
type Windows []time.Duration

// String implements flag.Value.
func (w *Windows) String() string {
	text := make([]string, len(*w))
	for i, d := range *w {
		text[i] = d.String()
	}
	return strings.Join(text, ",")
}

// Set implements flag.Value.
func (w *Windows) Set(text string) error {
	var list Windows
	for part := range strings.SplitSeq(text, ",") {
		d, err := time.ParseDuration(strings.TrimSpace(part))
		if err != nil {
			return fmt.Errorf("want durations separated by commas, as 10m,1h,24h: %w", err)
		}
		list = append(list, d)
	}
	*w = list
	return nil
}

// MarshalYAML implements yaml.Marshaler.
func (w Windows) MarshalYAML() (any, error) { return w.String(), nil }

// UnmarshalYAML reads what MarshalYAML writes.
func (w *Windows) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err != nil {
		return err
	}
	return w.Set(text)
}

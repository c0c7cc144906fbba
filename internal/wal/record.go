package wal

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// record is what every user of a log must agree on. It is written once, when
// the log is created, under recordKey in the control bucket.
type record struct {
	Partitions int        `json:"partitions"`
	Windows    windowList `json:"windows"`
}

// partitionRecord is the epoch of one partition, under partitionKey.
type partitionRecord struct {
	Epoch uint64 `json:"epoch"`
	// Created is set once the epoch's stream exists. A stream that is missing
	// before was not made yet; one that is missing after is lost.
	Created bool `json:"created"`
}

const recordKey = "log"

func partitionKey(p int) string { return "partition." + strconv.Itoa(p) }

func (r record) validate() error {
	if err := validPartitions(r.Partitions); err != nil {
		return err
	}
	return CheckWindows(r.Windows)
}

func (r record) equal(o record) bool {
	return r.Partitions == o.Partitions && slices.Equal(r.Windows, o.Windows)
}

// windowList is a window tree, as text in JSON ("10m0s").
type windowList []time.Duration

// MarshalJSON writes the windows as strings.
func (w windowList) MarshalJSON() ([]byte, error) {
	text := make([]string, len(w))
	for i, d := range w {
		text[i] = d.String()
	}
	return json.Marshal(text)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (w *windowList) UnmarshalJSON(b []byte) error {
	var text []string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	list := make(windowList, len(text))
	for i, s := range text {
		d, err := time.ParseDuration(s)
		if err != nil {
			return err
		}
		list[i] = d
	}
	*w = list
	return nil
}

// nextEpoch is the epoch of a stream made now: Unix milliseconds, and greater
// than any before, whatever the clock does.
func nextEpoch(now time.Time, before uint64) uint64 {
	return max(uint64(now.UnixMilli()), before+1) //nolint:gosec // clocks are past 1970
}

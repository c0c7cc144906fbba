package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// formatNanos is a time that is kept as unsigned nanoseconds since 1970.
func formatNanos(n uint64) string {
	return time.Unix(int64(n/1e9), int64(n%1e9)).UTC().Format(time.RFC3339Nano)
}

// formatBytes rounds a size to what a person wants to read.
func formatBytes(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n)/(1<<10), 0
	for ; size >= 1<<10 && unit < 3; unit++ {
		size /= 1 << 10
	}
	return fmt.Sprintf("%.1f %ciB", size, "KMGT"[unit])
}

// counted is so many things of a name.
func counted(n int, name string) string {
	if n == 1 {
		return "1 " + name
	}
	return fmt.Sprintf("%d %ss", n, name)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

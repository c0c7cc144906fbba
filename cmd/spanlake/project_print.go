package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/project"
)

func printProjects(list []app.ProjectReply, w io.Writer) error {
	rows := [][]string{{"PROJECT", "RETENTION", "MANAGED BY", "CREATED", "STATE"}}
	for _, p := range list {
		rows = append(rows, []string{string(p.Name), orDash(retentionOf(p)), orDash(string(p.Settings.ManagedBy)), dateOf(p.Settings.CreatedAt), stateOf(p)})
	}
	return printTable(w, rows)
}

func retentionOf(p app.ProjectReply) string {
	if p.Retention != "" && p.Settings.Retention == nil {
		return p.Retention + " (default)"
	}
	return p.Retention
}

func dateOf(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

func stateOf(p app.ProjectReply) string {
	switch {
	case p.Problem != "":
		return p.Problem
	case p.Settings.Deleted():
		return "deleted " + dateOf(p.Settings.DeletedAt)
	}
	return "in use"
}

// printProject prints one project, and its keys if there are any.
func printProject(c *projectConfig, p app.ProjectReply, keys []app.KeyReply, w io.Writer) error {
	if c.output == outputJSON {
		return printJSON(w, struct {
			app.ProjectReply
			Keys []app.KeyReply `json:"keys,omitempty"`
		}{p, keys})
	}
	rows := [][]string{
		{"Project", string(p.Name)},
		{"State", stateOf(p)},
		{"Retention", orDash(retentionOf(p))},
		{"Managed by", orDash(string(p.Settings.ManagedBy))},
		{"Created", dateOf(p.Settings.CreatedAt)},
		{"Aliases", orDash(strings.Join(p.Settings.Aliases, ", "))},
	}
	for _, r := range p.Settings.Rules {
		rows = append(rows, []string{"Rule", r.Filter + " " + r.Retention.String()})
	}
	for _, entry := range p.Settings.Prices {
		rows = append(rows, []string{"Price", entry.Model + " " + ratesText(&entry.Rates)})
	}
	for name, value := range p.Limits.All() {
		rows = append(rows, []string{"Limit " + name, limitText(value)})
	}
	if err := printTable(w, rows); err != nil || len(keys) == 0 {
		return err
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	return printKeys(keys, w)
}

func limitText(value int64) string {
	if value <= 0 {
		return "none"
	}
	return strconv.FormatInt(value, 10)
}

func printKeys(keys []app.KeyReply, w io.Writer) error {
	rows := [][]string{{"KEY", "SCOPES", "CREATED", "NAME"}}
	for _, k := range keys {
		rows = append(rows, []string{k.Public, scopesText(k.Scopes), dateOf(k.CreatedAt), orDash(k.Name)})
	}
	return printTable(w, rows)
}

func scopesText(scopes []project.Scope) string {
	texts := make([]string, len(scopes))
	for i, s := range scopes {
		texts[i] = string(s)
	}
	return strings.Join(texts, ",")
}

// printNewKey shows the secret, and how it is used.
func printNewKey(k app.KeyReply, w io.Writer) error {
	if err := printTable(w, [][]string{
		{"Public", k.Public}, {"Secret", k.Secret}, {"Scopes", scopesText(k.Scopes)},
	}); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nKeep the secret: it is stored nowhere and cannot be shown again.\n\nOf an instrumented program:\n"+
		"  export OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer %s'\nOf Grafana: basic authentication, the public half as the user.\n", k.Secret)
	return err
}

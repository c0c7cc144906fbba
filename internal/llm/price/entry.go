package price

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
)

// Entry is the price of a model, in the form of the table's file.
type Entry struct {
	// Model is the name that the entry is called by.
	Model string `json:"model"`
	// Provider is who sells it, as gen_ai.provider.name says it; the shipped
	// table uses short names (Provider).
	Provider string `json:"provider,omitempty"`
	// Pattern is a regular expression (RE2) that a name has to match, as Names
	// gives it and whatever its case. "" stands for the model's name alone.
	Pattern string `json:"pattern,omitempty"`
	Rates
	// Tiers replace rates for a whole call: the first whose condition holds.
	Tiers []Tier `json:"tiers,omitempty"`

	// Unit is what the rates are of: tokens.
	Unit string `json:"unit,omitempty"`
	// ConfirmedBy is in how many public tables the figures were found.
	ConfirmedBy int `json:"confirmed_by,omitempty"`

	literal string         // the one name that matches, "" if several may
	match   *regexp.Regexp // nil with a literal
}

// Rates are dollars per token, nil where there is none of its own: cached
// input, cache writes and audio that is read cost as much as input, writes for
// an hour as other writes, reasoning and audio that is made as output.
type Rates struct {
	Input        *float64 `json:"input,omitempty"`
	Output       *float64 `json:"output,omitempty"`
	CachedInput  *float64 `json:"cached_input,omitempty"`
	CacheWrite   *float64 `json:"cache_write,omitempty"`
	CacheWrite1h *float64 `json:"cache_write_1h,omitempty"`
	InputAudio   *float64 `json:"input_audio,omitempty"`
	OutputAudio  *float64 `json:"output_audio,omitempty"`
	Reasoning    *float64 `json:"reasoning,omitempty"`
}

// Tier replaces the rates that it names for calls for which When holds.
type Tier struct {
	When When `json:"when"`
	Rates
}

// When is the condition of a tier: all that it names.
type When struct {
	InputTokensAbove int64    `json:"input_tokens_gt,omitempty"`
	ServiceTier      []string `json:"service_tier,omitempty"`
	Speed            []string `json:"speed,omitempty"`
}

// Call is what was used, in inclusive counts: CacheRead, CacheWrite (with its
// part CacheWrite1h) and AudioInput are parts of Input, Reasoning and
// AudioOutput of Output.
type Call struct {
	Input, CacheRead, CacheWrite, CacheWrite1h, AudioInput int64
	Output, Reasoning, AudioOutput                         int64

	ServiceTier, Speed string
}

// Cost is in dollars, each part rounded to a millionth of a millionth.
type Cost struct{ Input, Output, Total float64 }

// Of prices a call. It is false if the entry has no rate for what was used.
func (e *Entry) Of(c *Call) (Cost, bool) {
	r := e.rates(c)
	if c.Input > 0 && r.Input == nil || c.Output > 0 && r.Output == nil {
		return Cost{}, false
	}
	input, output := or(r.Input, new(float64)), or(r.Output, new(float64))
	write := or(r.CacheWrite, input)
	plainIn := max(c.Input-c.CacheRead-c.CacheWrite-c.AudioInput, 0)
	plainOut := max(c.Output-c.Reasoning-c.AudioOutput, 0)
	hour := min(c.CacheWrite1h, c.CacheWrite)
	in := float64(plainIn)**input +
		float64(c.CacheRead)**or(r.CachedInput, input) +
		float64(c.CacheWrite-hour)**write + float64(hour)**or(r.CacheWrite1h, write) +
		float64(c.AudioInput)**or(r.InputAudio, input)
	out := float64(plainOut)**output +
		float64(c.Reasoning)**or(r.Reasoning, output) +
		float64(c.AudioOutput)**or(r.OutputAudio, output)
	return Cost{round(in), round(out), round(in + out)}, true
}

func (e *Entry) rates(c *Call) Rates {
	r := e.Rates
	i := slices.IndexFunc(e.Tiers, func(t Tier) bool { return t.When.holds(c) })
	if i < 0 {
		return r
	}
	t := e.Tiers[i].Rates
	return Rates{
		or(t.Input, r.Input), or(t.Output, r.Output), or(t.CachedInput, r.CachedInput),
		or(t.CacheWrite, r.CacheWrite), or(t.CacheWrite1h, r.CacheWrite1h),
		or(t.InputAudio, r.InputAudio), or(t.OutputAudio, r.OutputAudio), or(t.Reasoning, r.Reasoning),
	}
}

func (w *When) holds(c *Call) bool {
	return (w.InputTokensAbove == 0 || c.Input > w.InputTokensAbove) &&
		(len(w.ServiceTier) == 0 || slices.Contains(w.ServiceTier, c.ServiceTier)) &&
		(len(w.Speed) == 0 || slices.Contains(w.Speed, c.Speed))
}

// or is the first that is not nil.
func or(a, b *float64) *float64 {
	if a != nil {
		return a
	}
	return b
}

func round(dollars float64) float64 { return math.Round(dollars*1e12) / 1e12 }

// maxPattern bounds the text of a pattern.
const maxPattern = 500

var literalPattern = regexp.MustCompile(`^\^([a-zA-Z0-9_/:-]|\\\.)+\$$`)

// prepare checks an entry and readies its pattern.
func (e *Entry) prepare() error {
	if e.Model == "" {
		return errors.New("a price has no model")
	}
	if e.Unit != "" && e.Unit != "token" {
		return fmt.Errorf("price of %s: unit %q: want token", e.Model, e.Unit)
	}
	if e.Input == nil && e.Output == nil {
		return fmt.Errorf("price of %s: want input, output or both, in dollars per token", e.Model)
	}
	for _, r := range append([]Tier{{Rates: e.Rates}}, e.Tiers...) {
		for _, rate := range []*float64{r.Input, r.Output, r.CachedInput, r.CacheWrite, r.CacheWrite1h, r.InputAudio, r.OutputAudio, r.Reasoning} {
			if rate != nil && (*rate < 0 || *rate > maxRate || math.IsNaN(*rate)) {
				return fmt.Errorf("price of %s: %v dollars per token: want 0 to %v", e.Model, *rate, maxRate)
			}
		}
	}
	if len(e.Pattern) > maxPattern {
		return fmt.Errorf("price of %s: the pattern has %d bytes: want %d at most", e.Model, len(e.Pattern), maxPattern)
	}
	if e.Pattern == "" {
		e.literal = normal(e.Model)
		return nil
	}
	if literalPattern.MatchString(e.Pattern) {
		e.literal = literalOf(e.Pattern)
		return nil
	}
	var err error
	if e.match, err = regexp.Compile("(?i)" + e.Pattern); err != nil {
		return fmt.Errorf("price of %s: pattern: %w", e.Model, err)
	}
	return nil
}

// maxRate is a thousand dollars per token: above that somebody has given the
// price of a million.
const maxRate = 1000

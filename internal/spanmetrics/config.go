package spanmetrics

import (
	"errors"
	"flag"
	"net/url"
	"time"
)

// Config says what is counted, and where it goes.
type Config struct {
	Enabled   bool          `yaml:"enabled"`
	Wait      time.Duration `yaml:"wait"`
	MaxEdges  int           `yaml:"max_edges"`
	MaxSeries int           `yaml:"max_series"`
	Idle      time.Duration `yaml:"idle"`

	RemoteWriteURL      string        `yaml:"remote_write_url"`
	RemoteWriteInterval time.Duration `yaml:"remote_write_interval"`
}

// RegisterFlagsWithPrefix registers every key as a flag and sets its default.
func (c *Config) RegisterFlagsWithPrefix(prefix string, f *flag.FlagSet) {
	f.BoolVar(&c.Enabled, prefix+"enabled", false, "Count spans and calls between services, and show them on /metrics: what Grafana's service map is made of. With -target=all or ingester; of several processes one counts a partition.")
	f.DurationVar(&c.Wait, prefix+"wait", 10*time.Second, "How long one side of a call waits for the other.")
	f.IntVar(&c.MaxEdges, prefix+"max-edges", 100_000, "Calls that may wait at once, per partition. What is above is not counted, and says so in spanlake_spanmetrics_dropped_total.")
	f.IntVar(&c.MaxSeries, prefix+"max-series", 10_000, "Combinations of labels per project, a histogram as one. What is above is not counted, and says so in spanlake_spanmetrics_dropped_total.")
	f.DurationVar(&c.Idle, prefix+"idle", 15*time.Minute, "How long a combination of labels is shown after its last span.")
	f.StringVar(&c.RemoteWriteURL, prefix+"remote-write-url", "", "Where the counts are pushed to as well, by Prometheus' remote write: `URL`, with user and password if need be. Empty: nowhere.")
	f.DurationVar(&c.RemoteWriteInterval, prefix+"remote-write-interval", 15*time.Second, "How often they are pushed.")
}

// Validate names every key whose value cannot work.
func (c *Config) Validate() error {
	var errs []error
	refuse := func(bad bool, reason string) {
		if bad {
			errs = append(errs, errors.New(reason))
		}
	}
	refuse(c.Wait <= 0, "spanmetrics.wait must be positive")
	refuse(c.MaxEdges < 1, "spanmetrics.max-edges must be at least 1")
	refuse(c.MaxSeries < 1, "spanmetrics.max-series must be at least 1")
	refuse(c.Idle < time.Minute, "spanmetrics.idle must be at least 1m: Prometheus has to see a series once")
	refuse(c.RemoteWriteInterval < time.Second, "spanmetrics.remote-write-interval must be at least 1s")
	if c.RemoteWriteURL != "" {
		u, err := url.Parse(c.RemoteWriteURL)
		refuse(err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https", "spanmetrics.remote-write-url must be a URL of http or https")
	}
	return errors.Join(errs...)
}

package querier

import (
	"errors"
	"flag"
	"math"
	"time"

	"github.com/grafana/dskit/flagext"
)

// Config holds the limits of queries.
type Config struct {
	Timeout          time.Duration `yaml:"timeout"`
	MaxSearchRange   time.Duration `yaml:"max_search_range"`
	SearchMargin     time.Duration `yaml:"search_margin"`
	MaxReadBytes     flagext.Bytes `yaml:"max_read_bytes"`
	MaxTraceBytes    flagext.Bytes `yaml:"max_trace_bytes"`
	MaxGroups        int           `yaml:"max_groups"`
	MaxMetricsRange  time.Duration `yaml:"max_metrics_range"`
	MaxMetricsSteps  int           `yaml:"max_metrics_steps"`
	MaxMetricsSeries int           `yaml:"max_metrics_series"`
	MaxMetricsGroups int           `yaml:"max_metrics_groups"`
	MaxMetricsBytes  flagext.Bytes `yaml:"max_metrics_bytes"`
	Concurrency      int           `yaml:"concurrency"`
	CacheBytes       flagext.Bytes `yaml:"cache_bytes"`
	PageCacheBytes   flagext.Bytes `yaml:"page_cache_bytes"`
	ResultCacheBytes flagext.Bytes `yaml:"result_cache_bytes"`
	JobSpans         int           `yaml:"job_spans"`
	QueryJobs        int           `yaml:"query_jobs"`
	MaxJobs          int           `yaml:"max_jobs"`
	MaxWaitingJobs   int           `yaml:"max_waiting_jobs"`
	JobMemory        flagext.Bytes `yaml:"job_memory"`
	HedgeAfter       time.Duration `yaml:"hedge_after"`
}

// defaultCacheBytes is for about 200 million spans: a block of a million takes
// 0.2 MB for the filter, at two bytes for each of some hundred thousand traces,
// and as much again for its directory, at tens of bytes for each page of each of
// some hundred columns.
const defaultCacheBytes = 128 << 20

// defaultPageCacheBytes is for the columns that queries ask about, and no
// content, of some ten million spans.
const defaultPageCacheBytes = 64 << 20

// defaultResultCacheBytes is for some dozen panels with a hundred series over some
// hundred blocks.
const defaultResultCacheBytes = 64 << 20

// defaultMetricsBytes is for ten thousand groups with 240 samples each, or for
// histograms of some hundred.
const defaultMetricsBytes = 256 << 20

// defaultMaxReadBytes is for the columns that a query needs of some ten billion
// spans: what takes longer than its time anyway.
const defaultMaxReadBytes = 64 << 30

// defaultMaxTraceBytes is twice what a trace of a hundred thousand spans with
// long texts has. This process needs little memory for it; clients need it all.
const defaultMaxTraceBytes = 1 << 30

// defaultJobMemory is for eight jobs of each of two projects, each of which reads
// eight blocks of a quarter of a million spans at once.
const defaultJobMemory = 512 << 20

// RegisterFlagsWithPrefix registers every key as a flag and sets its default.
func (c *Config) RegisterFlagsWithPrefix(prefix string, f *flag.FlagSet) {
	f.DurationVar(&c.Timeout, prefix+"timeout", 5*time.Minute, "How long one query may take.")
	f.DurationVar(&c.SearchMargin, prefix+"search-margin", time.Hour, "How far outside of the range of a search or a metrics query spans may lie by which a trace is found that reaches into it. Spans farther off are in the answer, but no trace is found by them.")
	f.DurationVar(&c.MaxSearchRange, prefix+"max-search-range", 168*time.Hour, "Longest time range of a search. 0 means no limit.")
	c.MaxReadBytes = defaultMaxReadBytes
	f.Var(&c.MaxReadBytes, prefix+"max-read-bytes", "How much of blocks one query may read from the bucket. 0 means no limit.")
	c.MaxTraceBytes = defaultMaxTraceBytes
	f.Var(&c.MaxTraceBytes, prefix+"max-trace-bytes", "How much of one trace is shown: of a larger one the first spans, and the answer says that it is partial. What this process needs for it is about 100 bytes of memory for each span, whatever their size. 0 means no limit.")
	f.IntVar(&c.MaxGroups, prefix+"max-groups", 10_000, "Groups of spans that by() may make in the answer to one search. 0 means no limit.")
	f.DurationVar(&c.MaxMetricsRange, prefix+"max-metrics-range", 744*time.Hour, "Longest time range of a metrics query. 0 means no limit.")
	f.IntVar(&c.MaxMetricsSteps, prefix+"max-metrics-steps", 10_000, "Samples that a series of a range query may have. 0 means no limit.")
	f.IntVar(&c.MaxMetricsSeries, prefix+"max-metrics-series", 1000, "Series in the answer to a metrics query. Of more the first ones are returned and the answer says that it is partial. 0 means no limit.")
	f.IntVar(&c.MaxMetricsGroups, prefix+"max-metrics-groups", 100_000, "Groups that a metrics query may form before the series of its answer are chosen. 0 means no limit.")
	c.MaxMetricsBytes = defaultMetricsBytes
	f.Var(&c.MaxMetricsBytes, prefix+"max-metrics-bytes", "Memory for the groups and samples of one metrics query. 0 means no limit.")
	f.IntVar(&c.Concurrency, prefix+"concurrency", 8, "Blocks that one query reads at once.")
	c.CacheBytes = defaultCacheBytes
	f.Var(&c.CacheBytes, prefix+"cache-bytes", "Memory for the footers and filters of blocks, which every query of a block needs.")
	c.PageCacheBytes = defaultPageCacheBytes
	f.Var(&c.PageCacheBytes, prefix+"page-cache-bytes", "Memory for the parts of blocks that queries used last, decompressed. 0 keeps none.")
	c.ResultCacheBytes = defaultResultCacheBytes
	f.Var(&c.ResultCacheBytes, prefix+"result-cache-bytes", "Memory for what metrics queries have counted in blocks, which the same query of a later range needs again. 0 keeps none.")
	f.IntVar(&c.JobSpans, prefix+"job-spans", 2_000_000, "Spans of blocks that one part of a query searches. A query of more is split by trace, and queriers that run apart from the ingesters share the parts.")
	f.IntVar(&c.QueryJobs, prefix+"query-jobs", 8, "Parts of one query that are done at once.")
	f.IntVar(&c.MaxJobs, prefix+"max-jobs", 32, "Parts of queries that a process does at once. One project has at most half of them, others wait.")
	f.IntVar(&c.MaxWaitingJobs, prefix+"max-waiting-jobs", 256, "Parts of queries of one project that may wait. More are refused with 429.")
	c.JobMemory = defaultJobMemory
	f.Var(&c.JobMemory, prefix+"job-memory", "Memory for what the parts of queries read at the same time, as estimated from the sizes of blocks. One project has at most half of it, others wait.")
	f.DurationVar(&c.HedgeAfter, prefix+"hedge-after", 2*time.Second, "When a part of a query that another querier does is given to a further one as well: after this time, and twice the time that others took.")
}

// Validate names every key whose value cannot work.
func (c *Config) Validate() error {
	var errs []error
	refuse := func(bad bool, reason string) {
		if bad {
			errs = append(errs, errors.New(reason))
		}
	}
	refuse(c.Timeout <= 0, "querier.timeout must be positive")
	refuse(c.MaxSearchRange < 0, "querier.max-search-range must not be negative")
	refuse(c.SearchMargin < 0, "querier.search-margin must not be negative")
	refuse(c.MaxReadBytes > math.MaxInt64, "querier.max-read-bytes is too large")
	refuse(c.MaxTraceBytes > math.MaxInt64, "querier.max-trace-bytes is too large")
	refuse(c.MaxGroups < 0, "querier.max-groups must not be negative")
	refuse(c.MaxMetricsRange < 0, "querier.max-metrics-range must not be negative")
	refuse(c.MaxMetricsSteps < 0, "querier.max-metrics-steps must not be negative")
	refuse(c.MaxMetricsSeries < 0, "querier.max-metrics-series must not be negative")
	refuse(c.MaxMetricsGroups < 0, "querier.max-metrics-groups must not be negative")
	refuse(c.MaxMetricsBytes > math.MaxInt64, "querier.max-metrics-bytes is too large")
	refuse(c.Concurrency < 1, "querier.concurrency must be at least 1")
	refuse(c.CacheBytes == 0 || c.CacheBytes > math.MaxInt64, "querier.cache-bytes must be positive")
	refuse(c.PageCacheBytes > math.MaxInt64, "querier.page-cache-bytes is too large")
	refuse(c.ResultCacheBytes > math.MaxInt64, "querier.result-cache-bytes is too large")
	refuse(c.JobSpans < 1, "querier.job-spans must be at least 1")
	refuse(c.QueryJobs < 1, "querier.query-jobs must be at least 1")
	refuse(c.MaxJobs < 1, "querier.max-jobs must be at least 1")
	refuse(c.MaxWaitingJobs < 0, "querier.max-waiting-jobs must not be negative")
	refuse(c.JobMemory == 0 || c.JobMemory > math.MaxInt64, "querier.job-memory must be positive")
	refuse(c.HedgeAfter <= 0, "querier.hedge-after must be positive")
	return errors.Join(errs...)
}

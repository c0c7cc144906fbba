package s3

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/objstore"
)

// Checksum says when bodies carry checksums beside those that a request needs
// in any case: of what is sent, and of what is received.
type Checksum string

const (
	// ChecksumDefault leaves it to the SDK's own settings, which are
	// ChecksumWhenSupported unless the environment says otherwise.
	ChecksumDefault Checksum = ""
	// ChecksumWhenSupported sends and verifies checksums wherever S3 can.
	ChecksumWhenSupported Checksum = "when_supported"
	// ChecksumWhenRequired is for stores that reject checksums they do not
	// know.
	ChecksumWhenRequired Checksum = "when_required"
)

// Options tell where a bucket is. Credentials are not among them: they come
// from the environment, as Open says.
type Options struct {
	// Bucket is the name.
	Bucket string
	// Endpoint is the URL of a server that speaks S3, empty for AWS itself.
	Endpoint string
	// Region of the bucket. Empty: as the environment says, else us-east-1
	// with an Endpoint.
	Region string
	// PathStyle puts the bucket's name into the path of a URL instead of
	// into its host.
	PathStyle bool
	// Checksum is when bodies carry checksums.
	Checksum Checksum
	// PartBytes is the size of an upload's parts, and of the largest object
	// that is stored by a single request. 32 MiB by default, at least 5 MiB.
	PartBytes int64
	// PageKeys is how many keys one request for a listing returns, 1000 by
	// default, which is also the most.
	PageKeys int
	// StallTimeout is how long a connection may stand still before it is
	// given up, 1 minute by default.
	StallTimeout time.Duration
	// MaxPartDelay is the longest wait before a part is sent again, 5 s by
	// default.
	MaxPartDelay time.Duration
}

// minPartBytes is the limit of S3 for all parts but the last.
const minPartBytes = 5 << 20

func (o *Options) setDefaults() {
	if o.PartBytes == 0 {
		o.PartBytes = 32 << 20
	}
	o.PartBytes = max(o.PartBytes, minPartBytes)
	if o.PageKeys <= 0 || o.PageKeys > 1000 {
		o.PageKeys = 1000
	}
	if o.StallTimeout <= 0 {
		o.StallTimeout = time.Minute
	}
	if o.MaxPartDelay <= 0 {
		o.MaxPartDelay = 5 * time.Second
	}
}

// Scheme is what the URL of a bucket begins with.
const Scheme = "s3://"

// ParseURL reads s3://bucket/prefix?parameters. The prefix, which may be
// empty, is for objstore.Prefixed. Parameters:
//
//	endpoint    URL of a server that speaks S3, http or https; without it, AWS
//	region      of the bucket; else AWS_REGION or the profile's, or us-east-1 with an endpoint
//	path_style  true or false; true with an endpoint
//	checksum    when_supported or when_required
//
// Errors do not repeat the URL, which may hold what somebody took for the
// place of a password.
func ParseURL(text string) (opts Options, prefix string, err error) {
	rest, ok := strings.CutPrefix(text, Scheme)
	if !ok {
		return Options{}, "", errors.New("want s3://bucket/prefix")
	}
	rest, query, _ := strings.Cut(rest, "?")
	opts.Bucket, prefix, _ = strings.Cut(rest, "/")
	prefix = strings.TrimSuffix(prefix, "/")
	if strings.Contains(opts.Bucket, "@") {
		return Options{}, "", errors.New("credentials do not belong into the URL: use the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	if !bucketName().MatchString(opts.Bucket) {
		return Options{}, "", errors.New("the name of the bucket: want 3 to 63 letters, digits, dots and hyphens")
	}
	if prefix != "" {
		if err := objstore.CheckKey(prefix); err != nil {
			return Options{}, "", fmt.Errorf("the prefix: %w", err)
		}
	}
	if err := opts.parseQuery(query); err != nil {
		return Options{}, "", err
	}
	return opts, prefix, nil
}

// bucketName is what any store takes. AWS is stricter today, and tells so.
func bucketName() *regexp.Regexp {
	return regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{1,61}[a-zA-Z0-9]$`)
}

func (o *Options) parseQuery(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the parameters after ? are malformed")
	}
	o.PathStyle = values.Has("endpoint")
	for name, texts := range values {
		if len(texts) > 1 {
			return fmt.Errorf("parameter %s is set twice", name)
		}
		if err := o.setParameter(name, texts[0]); err != nil {
			return fmt.Errorf("parameter %s: %w", name, err)
		}
	}
	return nil
}

func (o *Options) setParameter(name, text string) (err error) {
	switch name {
	case "endpoint":
		o.Endpoint, err = text, checkEndpoint(text)
	case "region":
		if o.Region = text; text == "" {
			err = errors.New("is empty")
		}
	case "path_style":
		if o.PathStyle, err = strconv.ParseBool(text); err != nil {
			err = errors.New("want true or false")
		}
	case "checksum":
		if o.Checksum = Checksum(text); o.Checksum != ChecksumWhenSupported && o.Checksum != ChecksumWhenRequired {
			err = fmt.Errorf("want %s or %s", ChecksumWhenSupported, ChecksumWhenRequired)
		}
	default:
		err = errors.New("is unknown: want endpoint, region, path_style or checksum")
	}
	return err
}

func checkEndpoint(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return errors.New("want a URL such as https://s3.example.org")
	case u.User != nil:
		return errors.New("credentials do not belong into the URL: use the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("want no more than scheme, host, port and path")
	}
	return nil
}

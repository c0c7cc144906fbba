package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
)

const (
	dialTimeout = 10 * time.Second
	// idleTimeout is below the stall timeout, so that a connection in the
	// pool is closed for being idle and not while it is taken out.
	idleTimeout = 30 * time.Second
	// maxIdle is what a query that reads many blocks at once leaves behind.
	maxIdle = 128
	// partAttempts is the number of tries for a part, the same that
	// objstore.Retry makes for everything else.
	partAttempts = 5
	// localRegion signs requests to servers that have no regions.
	localRegion = "us-east-1"
)

// Open returns the bucket that opts name. It does not ask the server: a bucket
// that does not exist, or must not be used, fails the first operation.
//
// Credentials, and all that opts leave open, come from where the AWS SDK and
// its tools take them: the environment, the shared files, a web identity, the
// role of a container or an instance. They are renewed as needed.
func Open(ctx context.Context, opts Options) (*Bucket, error) {
	opts.setDefaults()
	load := []func(*config.LoadOptions) error{config.WithHTTPClient(newHTTPClient(opts.StallTimeout)), config.WithLogger(logging.Nop{})}
	if opts.Region != "" {
		load = append(load, config.WithRegion(opts.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		if opts.Endpoint == "" && cfg.BaseEndpoint == nil {
			return nil, errors.New("the bucket's region is unknown: set the parameter region, or AWS_REGION")
		}
		cfg.Region = localRegion
	}
	cfg.Credentials = &credentials{cfg.Credentials}
	// With what the configuration adds, such as AWS_CA_BUNDLE.
	client, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		return nil, fmt.Errorf("the AWS configuration replaced the HTTP client by %T", cfg.HTTPClient)
	}
	b := &Bucket{opts: opts, transport: client.GetTransport(), partRetryer: newPartRetryer(opts.MaxPartDelay)}
	b.client = s3.NewFromConfig(cfg, b.configure)
	return b, nil
}

// configure sets the client's options.
//
// Who repeats: objstore.Retry, and the SDK not at all. It repeats for every
// kind of bucket in one way, it also covers a reply that breaks off in its
// middle, and its waits show in one place. If both did, a store in trouble
// would get the product of their attempts. The one exception is a part of an
// upload, see uploadPart.
func (b *Bucket) configure(o *s3.Options) {
	o.Retryer = aws.NopRetryer{}
	o.HTTPClient = &http.Client{Transport: b.transport, CheckRedirect: noRedirect}
	if b.opts.Endpoint != "" {
		o.BaseEndpoint = aws.String(b.opts.Endpoint)
	}
	o.UsePathStyle = b.opts.PathStyle
	switch b.opts.Checksum {
	case ChecksumWhenSupported:
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenSupported
	case ChecksumWhenRequired:
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	case ChecksumDefault:
	}
	if o.RequestChecksumCalculation == aws.RequestChecksumCalculationWhenRequired {
		o.APIOptions = append(o.APIOptions, signBody)
	}
	o.DisableLogOutputChecksumValidationSkipped = true
}

// signBody has the signature cover the body also over https, where the SDK
// leaves it out. Without that and without a checksum, a server might take a
// body whose connection broke for a whole one: some do.
func signBody(stack *middleware.Stack) error {
	_, err := stack.Finalize.Swap((*v4.ComputePayloadSHA256)(nil).ID(), &v4.ComputePayloadSHA256{})
	return err
}

// newPartRetryer repeats parts as objstore.Retry would.
func newPartRetryer(maxDelay time.Duration) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = partAttempts, maxDelay
		o.Retryables = []retry.IsErrorRetryable{retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			return aws.BoolTernary(transient(err))
		})}
	})
}

// newHTTPClient returns a client that gives up connections that stand still,
// and nothing else: how long a request may take depends on its size.
func newHTTPClient(stall time.Duration) *awshttp.BuildableClient {
	dialer := net.Dialer{Timeout: dialTimeout, KeepAlive: idleTimeout}
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = maxIdle, maxIdle
		t.IdleConnTimeout = min(idleTimeout, stall/2)
		t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &stallConn{Conn: conn, timeout: stall}, nil
		}
	})
}

// noRedirect: a signature is good for one host only.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// stallConn fails once nothing has moved for the timeout, in either direction.
type stallConn struct {
	net.Conn

	timeout time.Duration
}

func (c *stallConn) Read(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *stallConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// credentials tells failures to get any from those of the store.
type credentials struct{ aws.CredentialsProvider }

func (c *credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	found, err := c.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, &credentialsError{err}
	}
	return found, nil
}

// credentialsError is why there are no credentials. The providers have
// repeated what is worth it.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string {
	return fmt.Sprintf("no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role (%s)", e.err)
}

func (e *credentialsError) Unwrap() error { return e.err }

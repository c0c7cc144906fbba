package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/spanlake/spanlake/functions/internal/event"
	"github.com/spanlake/spanlake/internal/wire"
	"github.com/spanlake/spanlake/querier"
)

const (
	// invokeAttempts is how often Lambda is asked for an environment when it has none
	// to spare. Then the part is done in the invocation that has asked.
	invokeAttempts = 3
	// invokeBackoff bounds the wait between attempts: whoever asks has nothing better
	// to do than the part itself.
	invokeBackoff = 200 * time.Millisecond
	// latest is the version of a function that was not published.
	latest = "$LATEST"
)

// invoker has parts of queries done by further invocations of this function, of the
// same version.
type invoker struct {
	client  *awslambda.Client
	name    string
	version *string // nil: the newest
}

var _ querier.Workers = (*invoker)(nil)

// shareWithOthers lets this function invoke itself.
func (f *function) shareWithOthers(ctx context.Context, get func(string) string) error {
	i := &invoker{name: get("AWS_LAMBDA_FUNCTION_NAME")}
	if i.name == "" {
		return errors.New("share queries: AWS_LAMBDA_FUNCTION_NAME is not set")
	}
	if v := get("AWS_LAMBDA_FUNCTION_VERSION"); v != "" && v != latest {
		i.version = &v
	}
	// A connection that is kept may be gone after a freeze, without a word.
	web := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.DisableKeepAlives = true })
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithHTTPClient(web), awsconfig.WithRetryer(func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = invokeAttempts, invokeBackoff })
	}))
	if err != nil {
		return fmt.Errorf("share queries: %w", err)
	}
	i.client = awslambda.NewFromConfig(cfg)
	f.workers = i
	return nil
}

// Ask implements querier.Workers. Lambda does not hear that an answer is no longer
// wanted: the job itself says how long it may take.
func (i *invoker) Ask(ctx context.Context, job []byte) ([]byte, error) {
	payload, err := json.Marshal(taskEvent{taskJob, job})
	if err != nil {
		return nil, fmt.Errorf("encode a task: %w", err)
	}
	if len(payload) > event.MaxAnswerBytes { // the limit is that of answers
		return nil, wire.ErrTooLarge
	}
	out, err := i.client.Invoke(ctx, &awslambda.InvokeInput{FunctionName: &i.name, Qualifier: i.version, Payload: payload})
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("%w: %w", wire.ErrNobody, err)
	case out.FunctionError != nil:
		return nil, fmt.Errorf("%w: %s: %.1000q", wire.ErrLost, *out.FunctionError, out.Payload)
	}
	var answer taskReply
	if err := json.Unmarshal(out.Payload, &answer); err != nil || len(answer.Reply) == 0 {
		return nil, fmt.Errorf("%w: its answer is none: %.1000q", wire.ErrLost, out.Payload)
	}
	return answer.Reply, nil
}

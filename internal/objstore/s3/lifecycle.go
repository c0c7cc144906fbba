package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/spanlake/spanlake/internal/objstore"
)

// MaxLifecycleRules is how many rules a bucket can have.
const MaxLifecycleRules = 1000

// errOldForm is for rules beside which S3 permits none of today's form.
var errOldForm = errors.New("has its prefix outside of a filter, beside which S3 permits no other form: write it anew with a filter")

// Lifecycle returns the bucket's lifecycle rules, none if it has none. It needs
// the permission s3:GetLifecycleConfiguration. Returns errors.ErrUnsupported if
// the server knows no such rules.
func (b *Bucket) Lifecycle(ctx context.Context) ([]objstore.LifecycleRule, error) {
	doc, err := b.lifecycle(ctx)
	if err != nil {
		return nil, err
	}
	return describeRules(doc.Rules), nil
}

// SetLifecycle makes own the rules whose ids begin with prefix, and leaves all
// others as they are. A bucket has one document of rules that can only be
// replaced as a whole: a change that somebody else makes at the same moment may
// be lost. It needs s3:PutLifecycleConfiguration besides, and fails rather than
// drop what it does not understand.
func (b *Bucket) SetLifecycle(ctx context.Context, prefix string, own []objstore.LifecycleRule) error {
	doc, err := b.lifecycle(ctx)
	if err != nil {
		return err
	}
	if doc.unknown != "" {
		return fmt.Errorf("the lifecycle rules of bucket %s have an element %s, which this version does not know and would drop: they stay as they are", b.opts.Bucket, doc.unknown)
	}
	rules := slices.DeleteFunc(doc.Rules, func(r types.LifecycleRule) bool { return strings.HasPrefix(aws.ToString(r.ID), prefix) })
	for _, r := range rules {
		if r.Filter == nil && r.Prefix != nil { //nolint:staticcheck // the old form is what is looked for
			return fmt.Errorf("lifecycle rule %q of bucket %s %w", aws.ToString(r.ID), b.opts.Bucket, errOldForm)
		}
	}
	for _, r := range own {
		rules = append(rules, encodeRule(r))
	}
	if len(rules) > MaxLifecycleRules {
		return fmt.Errorf("bucket %s would have %d lifecycle rules, more than %d", b.opts.Bucket, len(rules), MaxLifecycleRules)
	}
	_, err = b.client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket:                             &b.opts.Bucket,
		LifecycleConfiguration:             &types.BucketLifecycleConfiguration{Rules: rules},
		TransitionDefaultMinimumObjectSize: doc.TransitionDefaultMinimumObjectSize,
	})
	if err != nil {
		return fmt.Errorf("write the lifecycle rules (permission s3:PutLifecycleConfiguration): %w", b.translateLifecycle(ctx, err))
	}
	return nil
}

// lifecycleDocument is what the bucket has, and the first of its elements that
// the SDK does not know, and has left out.
type lifecycleDocument struct {
	*s3.GetBucketLifecycleConfigurationOutput

	unknown string
}

func (b *Bucket) lifecycle(ctx context.Context) (*lifecycleDocument, error) {
	doc := &lifecycleDocument{}
	var err error
	doc.GetBucketLifecycleConfigurationOutput, err = b.client.GetBucketLifecycleConfiguration(ctx,
		&s3.GetBucketLifecycleConfigurationInput{Bucket: &b.opts.Bucket}, watchElements(&doc.unknown))
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "NoSuchLifecycleConfiguration" {
		doc.GetBucketLifecycleConfigurationOutput = &s3.GetBucketLifecycleConfigurationOutput{}
		return doc, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the lifecycle rules (permission s3:GetLifecycleConfiguration): %w", b.translateLifecycle(ctx, err))
	}
	return doc, nil
}

func (b *Bucket) translateLifecycle(ctx context.Context, err error) error {
	if isStatus(err, http.StatusNotImplemented) {
		return fmt.Errorf("the server of bucket %s has none: %w", b.opts.Bucket, errors.ErrUnsupported)
	}
	return b.translate(ctx, err, nil)
}

func encodeRule(r objstore.LifecycleRule) types.LifecycleRule {
	out := types.LifecycleRule{ID: aws.String(r.ID), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String(r.Prefix)}}
	if r.ExpireDays > 0 {
		out.Expiration = &types.LifecycleExpiration{Days: days(r.ExpireDays)}
	}
	if r.NoncurrentDays > 0 {
		out.NoncurrentVersionExpiration = &types.NoncurrentVersionExpiration{NoncurrentDays: days(r.NoncurrentDays)}
	}
	if r.AbortDays > 0 {
		out.AbortIncompleteMultipartUpload = &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: days(r.AbortDays)}
	}
	return out
}

func days(n int) *int32 { return aws.Int32(int32(min(n, 1<<31-1))) } //nolint:gosec // bounded here

func describeRules(rules []types.LifecycleRule) []objstore.LifecycleRule {
	out := make([]objstore.LifecycleRule, len(rules))
	for i := range rules {
		out[i] = describeRule(&rules[i])
	}
	return out
}

func describeRule(r *types.LifecycleRule) objstore.LifecycleRule {
	out := objstore.LifecycleRule{
		ID: aws.ToString(r.ID), Enabled: r.Status == types.ExpirationStatusEnabled,
		Prefix: aws.ToString(r.Prefix), //nolint:staticcheck // of rules in the old form
		More:   len(r.Transitions)+len(r.NoncurrentVersionTransitions) > 0,
	}
	if f := r.Filter; f != nil {
		out.Prefix, out.Tagged = aws.ToString(f.Prefix), f.Tag != nil
		out.Sized = f.ObjectSizeGreaterThan != nil || f.ObjectSizeLessThan != nil
		if and := f.And; and != nil {
			out.Prefix, out.Tagged = aws.ToString(and.Prefix), len(and.Tags) > 0
			out.Sized = and.ObjectSizeGreaterThan != nil || and.ObjectSizeLessThan != nil
		}
	}
	if e := r.Expiration; e != nil {
		out.ExpireDays, out.Dated = int(aws.ToInt32(e.Days)), e.Date != nil
		out.More = out.More || aws.ToBool(e.ExpiredObjectDeleteMarker)
	}
	if n := r.NoncurrentVersionExpiration; n != nil {
		out.NoncurrentDays = int(aws.ToInt32(n.NoncurrentDays))
		out.More = out.More || n.NewerNoncurrentVersions != nil
	}
	if a := r.AbortIncompleteMultipartUpload; a != nil {
		out.AbortDays = int(aws.ToInt32(a.DaysAfterInitiation))
	}
	return out
}

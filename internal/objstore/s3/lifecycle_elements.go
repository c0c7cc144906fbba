package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// maxLifecycleBytes is far more than 1,000 rules take.
const maxLifecycleBytes = 16 << 20

// knownElement reports whether the SDK reads the element of a lifecycle document,
// and so writes it again.
func knownElement(name string) bool {
	switch name {
	case "LifecycleConfiguration", "Rule", "ID", "Status", "Filter", "And", "Prefix", "Tag", "Key", "Value",
		"ObjectSizeGreaterThan", "ObjectSizeLessThan", "Expiration", "Date", "Days", "ExpiredObjectDeleteMarker",
		"Transition", "StorageClass", "NoncurrentVersionTransition", "NoncurrentVersionExpiration", "NoncurrentDays",
		"NewerNoncurrentVersions", "AbortIncompleteMultipartUpload", "DaysAfterInitiation":
		return true
	}
	return false
}

// watchElements looks at a reply before the SDK does, and notes the first element
// in it that would not survive being read and written.
func watchElements(unknown *string) func(*s3.Options) {
	watch := func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
		out middleware.DeserializeOutput, meta middleware.Metadata, err error,
	) {
		out, meta, err = next.HandleDeserialize(ctx, in)
		reply, ok := out.RawResponse.(*smithyhttp.Response)
		if err != nil || !ok || reply.StatusCode != http.StatusOK {
			return out, meta, err
		}
		body, err := io.ReadAll(io.LimitReader(reply.Body, maxLifecycleBytes))
		if err = errors.Join(err, reply.Body.Close()); err != nil {
			return out, meta, err
		}
		reply.Body = io.NopCloser(bytes.NewReader(body))
		*unknown = unknownElement(body)
		return out, meta, nil
	}
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("watchLifecycleElements", watch), middleware.After)
		})
	}
}

// unknownElement is the name of the first element of a document that is not
// known, "" if there is none. What is no XML the SDK refuses.
func unknownElement(body []byte) string {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.Token()
		if err != nil {
			return ""
		}
		if start, ok := token.(xml.StartElement); ok && !knownElement(start.Name.Local) {
			return start.Name.Local
		}
	}
}

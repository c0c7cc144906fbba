package s3test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

// client leaves no connection open.
func (s *Server) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &s.Endpoint, UsePathStyle: true, Region: Region,
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: AccessKey, SecretAccessKey: SecretKey}, nil
		}),
	})
}

// Bucket makes an empty bucket of a new name, which it returns.
func (s *Server) Bucket(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("bucket-%d", s.buckets.Add(1))
	_, err := s.client().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name})
	require.NoError(t, err)
	return name
}

// MakeFolder stores what S3 consoles take for a folder: an empty object whose
// key ends in a slash.
func (s *Server) MakeFolder(t testing.TB, bucket, folder string) {
	t.Helper()
	_, err := s.client().PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: &bucket, Key: aws.String(folder + "/"), Body: strings.NewReader(""),
	})
	require.NoError(t, err)
}

// Uploads returns the keys of the uploads that were begun and neither completed
// nor aborted.
func (s *Server) Uploads(t testing.TB, bucket string) (keys []string) {
	t.Helper()
	reply, err := s.client().ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket})
	require.NoError(t, err)
	for _, upload := range reply.Uploads {
		keys = append(keys, aws.ToString(upload.Key))
	}
	return keys
}

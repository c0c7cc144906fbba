package s3test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
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

// KeepVersions makes a bucket keep what is replaced or deleted.
func (s *Server) KeepVersions(t testing.TB, bucket string) {
	t.Helper()
	_, err := s.client().PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	require.NoError(t, err)
}

// Versions are the keys of what a bucket keeps besides the objects that it lists,
// each as often as there are versions and marks of deletion.
func (s *Server) Versions(t testing.TB, bucket string) (keys []string) {
	t.Helper()
	pages := s3.NewListObjectVersionsPaginator(s.client(), &s3.ListObjectVersionsInput{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, v := range page.Versions {
			if !aws.ToBool(v.IsLatest) {
				keys = append(keys, aws.ToString(v.Key))
			}
		}
		for _, v := range page.DeleteMarkers {
			keys = append(keys, aws.ToString(v.Key))
		}
	}
	return keys
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

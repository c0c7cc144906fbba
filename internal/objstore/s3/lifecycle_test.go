package s3_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/s3"
	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
)

// foreignRules have every element that there is.
const foreignRules = `<Rule><ID>team logs</ID><Status>Disabled</Status><Filter><And><Prefix>logs/&amp;x/</Prefix><Tag><Key>a</Key><Value>b</Value></Tag><Tag><Key>c</Key><Value></Value></Tag><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>500000000000</ObjectSizeLessThan></And></Filter><Expiration><Days>400</Days></Expiration><Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition><Transition><Days>90</Days><StorageClass>SOME_NEW_CLASS</StorageClass></Transition><NoncurrentVersionTransition><NoncurrentDays>7</NoncurrentDays><StorageClass>GLACIER</StorageClass><NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionTransition><NoncurrentVersionExpiration><NoncurrentDays>9</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration></Rule>` +
	`<Rule><ID>by tag</ID><Status>Enabled</Status><Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter><Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration></Rule>` +
	`<Rule><ID>large</ID><Status>Enabled</Status><Filter><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></Filter><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule>` +
	`<Rule><ID>everything</ID><Status>Enabled</Status><Filter></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>`

func document(rules string) string {
	return `<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` + rules + `</LifecycleConfiguration>`
}

// values are the texts of a rule's elements by their paths, in order: what it says
// in whatever order its elements stand.
func values(t *testing.T, rule string) (all []string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader("<Rule>" + rule + "</Rule>"))
	var path []string
	for {
		token, err := decoder.Token()
		if err != nil {
			slices.Sort(all)
			return all
		}
		switch token := token.(type) {
		case xml.StartElement:
			path = append(path, token.Name.Local)
			all = append(all, strings.Join(path, "/"))
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			all = append(all, strings.Join(path, "/")+"="+string(token))
		}
	}
}

func openLifecycle(t *testing.T) (*s3test.Lifecycle, *s3.Bucket) {
	t.Helper()
	s3test.Setenv(t)
	server := s3test.Start(t)
	l := s3test.StartLifecycle(t, server)
	return l, open(t, l.URL(server.Bucket(t)))
}

var ownRules = []objstore.LifecycleRule{
	{ID: "own-a", Enabled: true, Prefix: "blocks/a/", ExpireDays: 33},
	{ID: "own-uploads", Enabled: true, Prefix: "blocks/", AbortDays: 1, NoncurrentDays: 1},
}

func TestLifecycle(t *testing.T) {
	l, b := openLifecycle(t)
	rules, err := b.Lifecycle(t.Context())
	require.NoError(t, err)
	require.Empty(t, rules)

	require.NoError(t, b.SetLifecycle(t.Context(), "own-", ownRules))
	rules, err = b.Lifecycle(t.Context())
	require.NoError(t, err)
	require.Equal(t, ownRules, rules, "there were none")

	l.Put(document(foreignRules), "varies_by_storage_class")
	before := s3test.Rules(t, foreignRules)
	require.NoError(t, b.SetLifecycle(t.Context(), "own-", ownRules))
	require.NoError(t, b.SetLifecycle(t.Context(), "own-", ownRules[1:]))
	text, minimum, _ := l.Document()
	require.Equal(t, "varies_by_storage_class", minimum)
	after := s3test.Rules(t, text)
	require.Len(t, after, len(before)+1, "own rules are replaced")
	for id, rule := range before {
		require.Equal(t, values(t, rule), values(t, after[id]), id)
	}
	rules, err = b.Lifecycle(t.Context())
	require.NoError(t, err)
	require.Equal(t, []objstore.LifecycleRule{
		{ID: "team logs", Prefix: "logs/&x/", ExpireDays: 400, NoncurrentDays: 9, Tagged: true, Sized: true, More: true},
		{ID: "by tag", Enabled: true, Tagged: true, Dated: true},
		{ID: "large", Enabled: true, Sized: true, More: true},
		{ID: "everything", Enabled: true, AbortDays: 3},
		ownRules[1],
	}, rules)
}

// What cannot be kept as it is, or is not permitted, stays as it is.
func TestLifecycleRefuses(t *testing.T) {
	l, b := openLifecycle(t)
	many := make([]objstore.LifecycleRule, s3.MaxLifecycleRules)
	for i := range many {
		many[i] = objstore.LifecycleRule{ID: fmt.Sprintf("own-%d", i), Enabled: true, Prefix: "blocks/", ExpireDays: 1}
	}
	plain := `<Rule><ID>x</ID><Status>Enabled</Status><Filter><Prefix>x</Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule>`
	for _, tc := range []struct {
		name, rules string
		deny        string
		own         []objstore.LifecycleRule
		want        string
	}{
		{"an element that is not known", strings.Replace(plain, "<Days>1</Days>", "<Days>1</Days><Hours>3</Hours>", 1), "", ownRules, "element Hours"},
		{"the old form", strings.NewReplacer("<Filter>", "", "</Filter>", "").Replace(plain), "", ownRules, `"x"`},
		{"too many", plain, "", many, "1001 lifecycle rules, more than 1000"},
		{"no permission to read", plain, http.MethodGet, ownRules, "s3:GetLifecycleConfiguration"},
		{"no permission to write", plain, http.MethodPut, ownRules, "s3:PutLifecycleConfiguration"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l.Put(document(tc.rules), "all_storage_classes_128K")
			l.Deny(tc.deny, true)
			defer l.Deny(tc.deny, false)
			require.ErrorContains(t, b.SetLifecycle(t.Context(), "own-", tc.own), tc.want)
			text, _, puts := l.Document()
			require.Equal(t, document(tc.rules), text)
			require.Zero(t, puts)
		})
	}
	l.Put(document(plain), "")
	require.NoError(t, b.SetLifecycle(t.Context(), "own-", many[1:]), "as many as there may be")
}

func TestLifecycleIsUnsupported(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	b := open(t, server.URL(server.Bucket(t)))
	_, err := b.Lifecycle(t.Context())
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorIs(t, b.SetLifecycle(t.Context(), "own-", ownRules), errors.ErrUnsupported)
}

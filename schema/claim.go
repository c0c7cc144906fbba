package schema

import (
	"errors"
	"fmt"
	"strings"
)

// ErrBadClaim is returned for a key that is not a claim's.
var ErrBadClaim = errors.New("not a claim's key")

// ClaimsPrefix is the prefix of every claim's key.
const ClaimsPrefix = "claims/"

// ClaimName names an object that holds what is too large for a message of the
// log. The message carries its key: a claim check. Its text form is
//
//	claims/<project>/p<partition>of<count>/<epoch>-<id>
type ClaimName struct {
	Project    ProjectID
	Partition  int
	Partitions int
	Epoch      uint64 // of the stream whose message refers to it
	ID         string // 32 lower-case hexadecimal digits, never used twice
}

// Key is the object's key.
func (n ClaimName) Key() string {
	return fmt.Sprintf("%s%s/p%dof%d/%d-%s", ClaimsPrefix, n.Project, n.Partition, n.Partitions, n.Epoch, n.ID)
}

// ParseClaimName reads a key. Returns ErrBadClaim for every text that Key does
// not produce.
func ParseClaimName(key string) (ClaimName, error) {
	n, err := parseClaimName(key)
	if err == nil && n.Key() != key {
		err = errors.New("not in canonical form")
	}
	if err != nil {
		return ClaimName{}, fmt.Errorf("%w: %q: %w", ErrBadClaim, key, err)
	}
	return n, nil
}

func parseClaimName(key string) (n ClaimName, err error) {
	rest, ok := strings.CutPrefix(key, ClaimsPrefix)
	seg := strings.Split(rest, "/")
	if !ok || len(seg) != 3 {
		return n, errors.New("want claims/<project>/<partition>/<epoch>-<id>")
	}
	if n.Project, err = ParseProjectID(seg[0]); err != nil {
		return n, err
	}
	p := numbers{}
	p.ints(seg[1], "p", &n.Partition, "of", &n.Partitions)
	epoch, id, _ := strings.Cut(seg[2], "-")
	p.uints(epoch, &n.Epoch)
	n.ID = id
	switch {
	case p.err != nil:
		return n, p.err
	case !ValidPartitionCount(n.Partitions) || n.Partition >= n.Partitions:
		return n, errors.New("impossible partition")
	case len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "":
		return n, errors.New("want an id of 32 hexadecimal digits")
	}
	return n, nil
}

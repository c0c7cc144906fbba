package mcp

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash/fnv"
	"strings"
)

// continuation says where a reply goes on. Clients hold it and send it back.
type continuation struct {
	Offset int `json:"o"` // elements that were sent
	// Start and End are the range of time as the first call had it, "" if it named none.
	Start string `json:"s,omitempty"`
	End   string `json:"e,omitempty"`
	Call  uint64 `json:"c"` // what was asked for
}

const (
	// maxToken is the longest token, bytes: two times, and numbers.
	maxToken = 256
	maxTime  = 40
)

var errToken = errors.New("next is not a token of a reply: send the one of the reply before, as it is, or leave it out to begin anew")

// errOtherCall means that what is asked for is not what the token is of.
var errOtherCall = errors.New("next belongs to a call with other arguments: repeat the arguments of that call, only next and max_bytes may differ")

func (c continuation) String() string {
	text, _ := json.Marshal(c) // numbers and texts
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseToken(text string) (c continuation, err error) {
	if len(text) > maxToken {
		return c, errToken
	}
	body, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return c, errToken
	}
	// Only what String writes is one: that way there is one token for each place.
	if err := json.Unmarshal(body, &c); err != nil || c.Offset <= 0 || len(c.Start) > maxTime || len(c.End) > maxTime || c.String() != text {
		return continuation{}, errToken
	}
	return c, nil
}

// callOf is a number for a tool and its arguments, but for those of paging.
func callOf(tool string, arguments any) uint64 {
	body, _ := json.Marshal(arguments) // came as JSON
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(body, &fields)
	delete(fields, "next")
	delete(fields, "max_bytes")
	body, _ = json.Marshal(fields)
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.Join([]string{tool, string(body)}, " ")))
	return h.Sum64() >> 12 // exact as a number of JSON
}

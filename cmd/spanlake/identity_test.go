package main

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIdentity(t *testing.T) {
	e := env{lookupEnv: func(name string) (string, bool) { return "sk-sl-x\n", name == keyVariable }}
	none := env{lookupEnv: func(string) (string, bool) { return "", false }}
	for _, test := range []struct {
		as   identity
		text string
		want http.Header
	}{
		{identityOf("", none), "default", http.Header{}},
		{identityOf("shop", none), "shop", http.Header{"X-Scope-Orgid": {"shop"}}},
		{identityOf("", e), "of the key in SPANLAKE_KEY", http.Header{"Authorization": {"Bearer sk-sl-x"}}},
		{identityOf("shop", e), "shop", http.Header{"Authorization": {"Bearer sk-sl-x"}, "X-Scope-Orgid": {"shop"}}},
	} {
		header := http.Header{}
		test.as.setOn(header)
		require.Equal(t, test.want, header)
		require.Equal(t, test.text, test.as.String())
		require.Len(t, test.as.headers(), 2*len(test.want))
	}
}

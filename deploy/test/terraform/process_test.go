package terraform_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
)

// Services and the single instance are started with arguments that the program takes.
func TestArguments(t *testing.T) {
	p := rendered(t)
	require.Len(t, p.Arguments, 3)
	for service, arguments := range p.Arguments {
		require.Equal(t, "serve", arguments[0])
		out, err := spanlake(t, append([]string{"config"}, arguments[1:]...)...)
		require.NoError(t, err, "%s: %s", service, out)
		require.Contains(t, out, "target: "+service)
		require.Contains(t, out, "credentials_secret: arn:aws:secretsmanager:")
	}

	alone, err := outputs(t, map[string]cty.Value{"nats": cty.NullVal(cty.DynamicPseudoType)})
	require.NoError(t, err)
	arguments := []string{"config"}
	for _, a := range alone["single_arguments"].AsValueSlice()[1:] {
		arguments = append(arguments, a.AsString())
	}
	out, err := spanlake(t, arguments...)
	require.NoError(t, err, out)
	require.Contains(t, out, "lifecycle: terraform")

	_, err = spanlake(t, append(arguments, "-compactor.lifecylce=terraform")...)
	require.Error(t, err)
}

// Every function takes the whole of its environment: it asks for its first event.
// With a variable that it does not know it ends instead.
func TestEnvironments(t *testing.T) {
	p := rendered(t)
	names, err := functionNames()
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			environment := []string{}
			require.Contains(t, p.Functions, name)
			for variable, value := range p.Functions[name].Environment {
				environment = append(environment, variable+"="+value)
			}
			asked, out := startFunction(t, name, environment)
			require.True(t, asked, out)

			asked, out = startFunction(t, name, append(environment, "SPANLAKE_NATS_ULR=nats://nats:4222"))
			require.False(t, asked)
			require.Contains(t, out, "SPANLAKE_NATS_ULR")
		})
	}
}

// startFunction reports whether a function with an environment asks for an event
// before it ends, and what it says.
func startFunction(t *testing.T, name string, environment []string) (asked bool, out string) {
	t.Helper()
	next, over := make(chan struct{}, 1), make(chan struct{})
	lambda := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/runtime/invocation/next") {
			select {
			case next <- struct{}{}:
			default:
			}
		}
		<-over // nobody is answered, neither what asks for a secret
	}))
	defer lambda.Close()
	defer close(over)
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "function-"+name))
	cmd.Env = append(environment,
		"AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(lambda.URL, "http://"), "AWS_LAMBDA_FUNCTION_NAME=spanlake-"+name, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512",
		"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_ENDPOINT_URL="+lambda.URL)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	select {
	case <-next:
		asked = true
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("neither an event asked for nor an end")
	}
	_ = cmd.Process.Kill()
	<-ended
	return asked, said.String()
}

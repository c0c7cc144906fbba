package fs_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/fs"
)

// The environment of a process that this test binary starts as a writer.
const (
	envDir  = "SPANLAKE_TEST_BUCKET"
	envName = "SPANLAKE_TEST_WRITER"
	envOnce = "SPANLAKE_TEST_ONCE"
)

const (
	sharedKeys  = 40
	bodyBytes   = 300_000
	writerCount = 3
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envDir); dir != "" {
		if err := write(context.Background(), dir, os.Getenv(envName), os.Getenv(envOnce) != ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// body is what a writer puts: as many bytes of its name.
func body(name string) []byte { return bytes.Repeat([]byte(name), bodyBytes/len(name)) }

// write puts and deletes objects that all writers share. It creates others of
// which only one writer can be the first, and prints their keys; once means
// to end after them.
func write(ctx context.Context, dir, name string, once bool) error {
	b, err := fs.Open(dir)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		if i == sharedKeys && once {
			return nil
		}
		key := fmt.Sprintf("won/%d/%d/object", i%7, i)
		err := b.Put(ctx, key, bytes.NewReader(body(name)), objstore.PutOptions{IfNotExist: true})
		switch {
		case err == nil:
			if _, err := fmt.Fprintln(os.Stdout, key); err != nil {
				return err
			}
		case !errors.Is(err, objstore.ErrExist):
			return err
		}
		shared := fmt.Sprintf("shared/%d/object", i%3)
		if err := b.Put(ctx, shared, bytes.NewReader(body(name)), objstore.PutOptions{}); err != nil {
			return err
		}
		passing := fmt.Sprintf("passing/%d/%d", i%2, i%5)
		if err := b.Put(ctx, passing, bytes.NewReader(body(name)), objstore.PutOptions{}); err != nil {
			return err
		}
		if err := b.Delete(ctx, passing); err != nil {
			return err
		}
	}
}

// startWriter starts a process that writes. It tells the keys that it created:
// read them all before waiting for its end.
func startWriter(t *testing.T, dir, name, once string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), envDir+"="+dir, envName+"="+name, envOnce+"="+once)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

// requireWhole reads every object: each is the whole body of one writer.
func requireWhole(t *testing.T, b *fs.Bucket) map[string]string {
	t.Helper()
	owners := map[string]string{}
	for object, err := range b.List(t.Context(), objstore.ListOptions{}) {
		require.NoError(t, err)
		data, _, err := b.Get(t.Context(), object.Key, objstore.GetOptions{})
		if errors.Is(err, objstore.ErrNotExist) {
			require.True(t, strings.HasPrefix(object.Key, "passing/"), object.Key)
			continue
		}
		require.NoError(t, err)
		require.NotEmpty(t, data, object.Key)
		name := string(data[:len("writer-0")])
		require.True(t, bytes.Equal(body(name), data), "%s is not whole", object.Key)
		owners[object.Key] = name
	}
	return owners
}

func TestProcessesShareABucket(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	type writer struct {
		cmd *exec.Cmd
		out *bufio.Scanner
	}
	writers := map[string]writer{}
	for i := range writerCount {
		name := fmt.Sprintf("writer-%d", i)
		cmd, out := startWriter(t, dir, name, "once")
		writers[name] = writer{cmd, out}
	}
	for range 20 {
		requireWhole(t, b) // while they write
	}
	won := map[string]string{}
	for name, w := range writers {
		for w.out.Scan() {
			require.NotContains(t, won, w.out.Text(), "two processes have created one object")
			won[w.out.Text()] = name
		}
		require.NoError(t, w.out.Err())
		require.NoError(t, w.cmd.Wait())
	}
	require.Len(t, won, sharedKeys)
	owners := requireWhole(t, b)
	for key, name := range won {
		require.Equal(t, name, owners[key], "%s is not its creator's", key)
	}
	require.Empty(t, names(t, filepath.Join(dir, ".tmp")))
	require.NoDirExists(t, filepath.Join(dir, "passing"), "emptied folders are removed")
}

func TestKilledWritersLeaveNothingVisible(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	for round := range 10 {
		name := fmt.Sprintf("writer-%d", round)
		cmd, out := startWriter(t, dir, name, "")
		var created []string
		for out.Scan() {
			if created = append(created, out.Text()); len(created) == 1+round%4 {
				require.NoError(t, cmd.Process.Kill())
				break
			}
		}
		require.Error(t, cmd.Wait())
		owners := requireWhole(t, b)
		for _, key := range created {
			require.Equal(t, name, owners[key], "%s was stored", key)
		}
	}
	open(t, dir)
	require.Empty(t, names(t, filepath.Join(dir, ".tmp")), "opening removes what the dead left")
	requireWhole(t, b)
}

// names lists a folder.
func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

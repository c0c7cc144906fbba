package app

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"

	"github.com/grafana/dskit/flagext"
	"go.yaml.in/yaml/v3"

	"github.com/spanlake/spanlake/internal/settings"
)

// Load returns the configuration of a command line: defaults, then the file
// that -config.file names, then the flags. ${NAME} in the file is replaced by
// what lookupEnv (os.LookupEnv) returns. It does not Validate. Returns
// flag.ErrHelp when the arguments ask for help.
func Load(args []string, lookupEnv func(string) (string, bool)) (Config, error) {
	e, err := LoadEffective(args, lookupEnv)
	if err != nil {
		return Config{}, err
	}
	return e.Config, nil
}

func parse(c *Config, args []string) error {
	fs := newFlagSet()
	c.RegisterFlags(fs)
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: flags begin with -", fs.Arg(0))
	}
	return nil
}

func newFlagSet() *flag.FlagSet {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the caller reports the error
	return fs
}

// overlay sets the flags that args hold on top of c, and tells which these are.
// Registering resets a variable to its default, so what c had is put back before
// they are set.
func overlay(c Config, args []string) (merged Config, set map[string]bool, err error) {
	fs := newFlagSet()
	merged.RegisterFlags(fs)
	merged = c
	err = fs.Parse(args)
	return merged, flagsSet(fs), err
}

// decoder is stricter than the YAML package's own: it knows the path of a key,
// and expands variables in values only, so that no value can add keys.
type decoder struct {
	lookupEnv func(string) (string, bool)
	origins   map[string]origin // of the keys that were read
}

// decodeFile reads YAML into c: all of it that is valid. Every error names line
// and key.
func (d *decoder) decodeFile(text []byte, c *Config) error {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return err
	}
	if len(document.Content) == 0 { // nothing but comments
		return nil
	}
	return d.decode(document.Content[0], reflect.ValueOf(c).Elem(), "")
}

func (d *decoder) decode(node *yaml.Node, v reflect.Value, path string) error {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch {
	case node.ShortTag() == "!!null": // "key:" without a value keeps the default
		return nil
	case isSection(v.Type()):
		return d.decodeSection(node, v, path)
	case node.Kind != yaml.ScalarNode:
		return fmt.Errorf("line %d: %s: want a single value", node.Line, path)
	}
	from, err := d.expand(node)
	if err != nil {
		return fmt.Errorf("line %d: %s: %w", node.Line, path, err)
	}
	if err := decodeValue(node, v.Addr().Interface()); err != nil {
		if from.masked != "" { // what YAML says of it quotes the value
			return fmt.Errorf("line %d: %s: the value with %s is not valid", node.Line, path, from.names())
		}
		return fmt.Errorf("line %d: %s: %q is not valid: %w", node.Line, path, node.Value, plain(err))
	}
	d.origins[path] = from
	return nil
}

func decodeValue(node *yaml.Node, dst any) error {
	if size, ok := dst.(*flagext.Bytes); ok {
		return settings.SetSize(size, node.Value)
	}
	return node.Decode(dst)
}

// isSection reports whether a type is one of ours that holds further keys.
func isSection(t reflect.Type) bool { return t.Kind() == reflect.Struct }

func (d *decoder) decodeSection(node *yaml.Node, v reflect.Value, path string) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: %s: want keys and values", node.Line, orWord(path, "the file"))
	}
	fields := yamlFields(v)
	seen := map[string]bool{}
	var errs []error
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i].Value
		keyPath := strings.TrimPrefix(path+"."+key, ".")
		field, known := fields[key]
		switch {
		case !known:
			errs = append(errs, fmt.Errorf("line %d: unknown key %s", node.Content[i].Line, keyPath))
		case seen[key]:
			errs = append(errs, fmt.Errorf("line %d: %s is set twice", node.Content[i].Line, keyPath))
		default:
			errs = append(errs, d.decode(node.Content[i+1], field, keyPath))
		}
		seen[key] = true
	}
	return errors.Join(errs...)
}

// yamlFields are the fields of a struct by their YAML names.
func yamlFields(v reflect.Value) map[string]reflect.Value {
	fields := make(map[string]reflect.Value)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("yaml"); name != "" && name != "-" {
			fields[name] = v.Field(i)
		}
	}
	return fields
}

var variable = regexp.MustCompile(`\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand replaces ${NAME} in a scalar. $${NAME} stands for ${NAME} itself.
func (d *decoder) expand(node *yaml.Node) (origin, error) {
	from := origin{line: node.Line}
	var missing string
	replace := func(value func(name string) string) string {
		return variable.ReplaceAllStringFunc(node.Value, func(match string) string {
			if strings.HasPrefix(match, "$$") {
				return match[1:]
			}
			return value(match[2 : len(match)-1])
		})
	}
	secret := false
	expanded := replace(func(name string) string {
		value, ok := d.lookupEnv(name)
		if !ok {
			missing = name
		}
		from.variables = append(from.variables, name)
		secret = secret || secretVariable(name)
		return value
	})
	if missing != "" {
		return from, fmt.Errorf("environment variable %s is not set", missing)
	}
	if secret {
		from.masked = replace(func(name string) string {
			if secretVariable(name) {
				return mask
			}
			value, _ := d.lookupEnv(name)
			return value
		})
	}
	if expanded != node.Value && node.Style == 0 {
		node.Tag = "" // what it is must be told from the new text
	}
	node.Value = expanded
	return from, nil
}

// plain is the reason of a YAML error without the line number, which is known.
func plain(err error) error {
	var typeErr *yaml.TypeError
	if !errors.As(err, &typeErr) || len(typeErr.Errors) == 0 {
		return err
	}
	text := typeErr.Errors[0]
	if strings.HasPrefix(text, "line ") {
		_, text, _ = strings.Cut(text, ": ")
	}
	return errors.New(text)
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}

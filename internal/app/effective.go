package app

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Effective is a configuration that knows where its values come from.
type Effective struct {
	Config Config

	origins map[string]origin // of the keys that are not left at their default, by path
}

// origin is where the value of a key was set.
type origin struct {
	line      int // of the file; 0 for a flag
	flag      string
	variables []string // that the file's value names
	masked    string   // the value without what secret variables hold, "" if none do
}

// LoadEffective is Load for those who want to see all of it: it goes on after
// errors in the file and returns what could be read together with all of them.
// Only flags that cannot be parsed end it; flag.ErrHelp is one of them.
func LoadEffective(args []string, lookupEnv func(string) (string, bool)) (*Effective, error) {
	var probe Config // finds the file; the flags are parsed again on top of it
	if err := parse(&probe, args); err != nil {
		return nil, err
	}
	e := &Effective{origins: map[string]origin{}}
	e.Config.RegisterFlags(newFlagSet())
	fileErr := e.readFile(probe.ConfigFile, lookupEnv)
	overlay, set, err := overlay(e.Config, args)
	if err != nil {
		return nil, err
	}
	e.Config = overlay
	walkKeys(reflect.ValueOf(&e.Config).Elem(), "", func(key string, _ reflect.Value) {
		if name := flagOf(key); set[name] {
			e.origins[key] = origin{flag: name}
		}
	})
	return e, fileErr
}

func (e *Effective) readFile(name string, lookupEnv func(string) (string, bool)) error {
	if name == "" {
		return nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("config.file: %w", err)
	}
	d := decoder{lookupEnv: lookupEnv, origins: e.origins}
	if err := d.decodeFile(text, &e.Config); err != nil {
		return fmt.Errorf("config.file %s: %w", name, err)
	}
	return nil
}

// flagOf is the name of a key's flag.
func flagOf(key string) string { return strings.ReplaceAll(key, "_", "-") }

// walkKeys visits every key that holds a value, in the order of the structs.
func walkKeys(v reflect.Value, prefix string, visit func(key string, field reflect.Value)) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		switch {
		case name == "" || name == "-":
		case isSection(v.Field(i).Type()):
			walkKeys(v.Field(i), prefix+name+".", visit)
		default:
			visit(prefix+name, v.Field(i))
		}
	}
}

// WriteYAML writes every key, secrets masked. A comment tells where a key that
// was set comes from; those without one have their default. What was not
// masked can be used as a file again.
func (e *Effective) WriteYAML(w io.Writer) error {
	root := mapping()
	sections := map[string]*yaml.Node{"": root}
	var errs []error
	walkKeys(reflect.ValueOf(&e.Config).Elem(), "", func(key string, field reflect.Value) {
		value, err := e.node(key, field)
		if err != nil {
			errs = append(errs, fmt.Errorf("write %s: %w", key, err))
			return
		}
		section := section(sections, key)
		name := &yaml.Node{Kind: yaml.ScalarNode, Value: key[strings.LastIndexByte(key, '.')+1:]}
		section.Content = append(section.Content, name, value)
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	return errors.Join(encoder.Encode(root), encoder.Close())
}

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode} }

// section returns the mapping that a key stands in, and makes those that are
// still missing on the way there.
func section(sections map[string]*yaml.Node, key string) *yaml.Node {
	path := key[:max(strings.LastIndexByte(key, '.'), 0)]
	if node, ok := sections[path]; ok {
		return node
	}
	node := mapping()
	sections[path] = node
	parent := section(sections, path)
	name := &yaml.Node{Kind: yaml.ScalarNode, Value: path[strings.LastIndexByte(path, '.')+1:]}
	parent.Content = append(parent.Content, name, node)
	return node
}

// node is the value of a key as it is printed.
func (e *Effective) node(key string, field reflect.Value) (*yaml.Node, error) {
	var node yaml.Node
	if err := node.Encode(field.Interface()); err != nil {
		return nil, err
	}
	from, set := e.origins[key]
	if from.masked != "" {
		node = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: from.masked}
	}
	if isURL(key) {
		node.Value = maskURLs(node.Value)
	}
	// Text that looks like a variable must not become one.
	node.Value = variable.ReplaceAllStringFunc(node.Value, func(match string) string { return "$" + match })
	if set {
		node.LineComment = from.String()
	}
	return &node, nil
}

// String tells a person where the value was set.
func (o origin) String() string {
	switch {
	case o.flag != "":
		return "flag -" + o.flag
	case len(o.variables) > 0:
		return fmt.Sprintf("file, line %d, %s", o.line, o.names())
	}
	return fmt.Sprintf("file, line %d", o.line)
}

// names are the variables as the file writes them.
func (o origin) names() string {
	return "${" + strings.Join(o.variables, "} ${") + "}"
}

// flagsSet are the names of the flags that a command line holds.
func flagsSet(fs *flag.FlagSet) map[string]bool {
	set := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	return set
}

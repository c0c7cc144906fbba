package traceqltest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
)

var errOpen = errors.New("a quote or bracket is not closed")

// splitWords splits at spaces that stand in no string, list or map.
func splitWords(text string) (words []string, err error) {
	depth, from := 0, -1
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted, err := strconv.QuotedPrefix(text[i:])
			if err != nil {
				return nil, fmt.Errorf("%w: %s", errOpen, text)
			}
			if from < 0 {
				from = i
			}
			i += len(quoted) - 1
		case c == ' ' && depth == 0:
			if from >= 0 {
				words = append(words, text[from:i])
			}
			from = -1
		default:
			depth += strings.Count("[{", string(c)) - strings.Count("]}", string(c))
			if from < 0 {
				from = i
			}
		}
	}
	if depth != 0 {
		return nil, fmt.Errorf("%w: %s", errOpen, text)
	}
	if from >= 0 {
		words = append(words, text[from:])
	}
	return words, nil
}

// unquoteKey reads a key that may be in quotes.
func unquoteKey(key string) (string, error) {
	if !strings.HasPrefix(key, `"`) {
		return key, nil
	}
	plain, err := strconv.Unquote(key)
	if err != nil {
		return "", fmt.Errorf("key %s: %w", key, err)
	}
	return plain, nil
}

// parseValue reads a value as ValueText writes it. A duration is an int of
// nanoseconds.
func parseValue(text string) (*commonpb.AnyValue, error) {
	v, rest, err := cutValue(text)
	if err == nil && rest != "" {
		err = fmt.Errorf("%q behind a value", rest)
	}
	return v, err
}

// cutValue reads the value that text begins with.
func cutValue(text string) (v *commonpb.AnyValue, rest string, err error) {
	switch {
	case strings.HasPrefix(text, "["):
		return cutList(text)
	case strings.HasPrefix(text, "{"):
		return cutMap(text)
	case strings.HasPrefix(text, `"`), strings.HasPrefix(text, `b"`):
		isBytes := text[0] == 'b'
		text = strings.TrimPrefix(text, "b")
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return nil, "", fmt.Errorf("%w: %s", errOpen, text)
		}
		s, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, "", fmt.Errorf("string %s: %w", quoted, err)
		}
		v = &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
		if isBytes {
			v = &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte(s)}}
		}
		return v, text[len(quoted):], nil
	}
	end := strings.IndexAny(text+",", ",]}")
	v, err = wordValue(text[:end])
	return v, text[end:], err
}

// wordValue is a number or one of the words that are values.
func wordValue(word string) (*commonpb.AnyValue, error) {
	if i, err := strconv.ParseInt(word, 10, 64); err == nil {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: i}}, nil
	}
	if f, err := strconv.ParseFloat(word, 64); err == nil {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: f}}, nil
	}
	if d, err := time.ParseDuration(word); err == nil {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(d)}}, nil
	}
	switch word {
	case "true", "false":
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: word == "true"}}, nil
	case "nil":
		return &commonpb.AnyValue{}, nil
	}
	return nil, fmt.Errorf("%q is no value", word)
}

func cutList(text string) (*commonpb.AnyValue, string, error) {
	list := &commonpb.ArrayValue{}
	for text = text[1:]; !strings.HasPrefix(text, "]"); text = strings.TrimPrefix(text, ",") {
		v, rest, err := cutValue(text)
		if err != nil || rest == "" {
			return nil, "", errors.Join(errOpen, err)
		}
		list.Values = append(list.Values, v)
		text = rest
	}
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: list}}, text[1:], nil
}

func cutMap(text string) (*commonpb.AnyValue, string, error) {
	list := &commonpb.KeyValueList{}
	for text = text[1:]; !strings.HasPrefix(text, "}"); text = strings.TrimPrefix(text, ",") {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return nil, "", fmt.Errorf("key in %s: %w", text, err)
		}
		key, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, "", fmt.Errorf("key in %s: %w", text, err)
		}
		v, rest, err := cutValue(strings.TrimPrefix(text[len(quoted):], ":"))
		if err != nil || rest == "" {
			return nil, "", errors.Join(errOpen, err)
		}
		list.Values = append(list.Values, &commonpb.KeyValue{Key: key, Value: v})
		text = rest
	}
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: list}}, text[1:], nil
}

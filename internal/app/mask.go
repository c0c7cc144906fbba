package app

import (
	"net/url"
	"slices"
	"strings"
)

// mask stands for a secret.
const mask = "***"

// isURL reports whether a key holds URLs, separated by commas.
func isURL(key string) bool {
	name := key[strings.LastIndexByte(key, '.')+1:]
	return name == "url" || name == "bucket" || strings.HasSuffix(name, "_url") || strings.HasSuffix(name, "_urls")
}

// maskURLs masks what URLs hold of secrets: user and password, of which either
// may be a token, and parameters that are named like one.
func maskURLs(list string) string {
	urls := strings.Split(list, ",")
	for i, u := range urls {
		urls[i] = maskURL(u)
	}
	return strings.Join(urls, ",")
}

func maskURL(u string) string {
	head, query, found := strings.Cut(u, "?")
	head = maskUser(head)
	if !found {
		return head
	}
	parameters := strings.Split(query, "&")
	for i, p := range parameters {
		if name, _, ok := strings.Cut(p, "="); ok && secretParameter(name) {
			parameters[i] = name + "=" + mask
		}
	}
	return head + "?" + strings.Join(parameters, "&")
}

// maskUser masks what stands before the host. A URL that cannot be parsed may
// have a password with any character in it.
func maskUser(u string) string {
	scheme, rest, found := strings.Cut(u, "://")
	if !found {
		scheme, rest = "", u
	}
	if found {
		scheme += "://"
	}
	host, path, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(host, '@')
	if _, err := url.Parse(u); err != nil || at < 0 && strings.Contains(path, "@") && scheme != "file://" {
		at = strings.LastIndexByte(rest, '@')
	}
	if at < 0 {
		return u
	}
	return scheme + mask + rest[at:]
}

// secretParameter reports whether a URL's parameter is to be masked.
func secretParameter(name string) bool {
	if decoded, err := url.QueryUnescape(name); err == nil {
		name = decoded
	}
	return secretName(strings.ReplaceAll(name, "-", "_"))
}

// secretVariable reports whether an environment variable is to be masked: one
// that names a file is not.
func secretVariable(name string) bool {
	name = strings.ToLower(name)
	for _, place := range []string{"_file", "_path", "_dir", "_directory"} {
		if strings.HasSuffix(name, place) {
			return false
		}
	}
	return secretName(name)
}

// secretName reports whether a name is one that people give to secrets.
func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"secret", "token", "passw", "credential", "accesskey", "access_key", "apikey", "api_key", "private", "signature"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return slices.ContainsFunc(strings.Split(name, "_"), func(word string) bool {
		return slices.Contains([]string{"key", "auth", "pass", "pw", "pwd", "sig", "jwt", "nkey", "seed"}, word)
	})
}

package price

import (
	"regexp"
	"strings"
)

// Names are the names by which the table is asked for a model, the most exact
// one first: as it was given but in small letters, then without what says where
// it is hosted, then without its date.
func Names(model string) []string {
	list := []string{normal(model)}
	add := func(name string) {
		if name != "" && name != list[len(list)-1] {
			list = append(list, name)
		}
	}
	bare := list[0]
	if i := strings.LastIndex(bare, "/models/"); i >= 0 {
		bare = bare[i+len("/models/"):]
	}
	bare = strings.TrimPrefix(bare, "models/")
	bare = cloneSuffix.ReplaceAllString(bare, "")
	add(bare)
	for {
		_, rest, found := strings.Cut(bare, "/")
		if !found {
			break
		}
		bare = rest
		add(bare)
	}
	bare = regionPrefix.ReplaceAllString(bare, "")
	bare = vendorPrefix.ReplaceAllString(bare, "")
	bare = hostSuffix.ReplaceAllString(bare, "")
	add(bare)
	add(dateSuffix.ReplaceAllString(bare, ""))
	return list
}

func normal(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

var (
	cloneSuffix  = regexp.MustCompile(`:(free|beta|nitro|extended)$`)
	regionPrefix = regexp.MustCompile(`^(us|eu|apac|ap|jp|au|ca|sa|us-gov|global)\.`)
	vendorPrefix = regexp.MustCompile(`^(anthropic|amazon|meta|mistral|cohere|deepseek|ai21|openai|google|qwen|moonshot)\.`)
	hostSuffix   = regexp.MustCompile(`(-v[0-9]+(:[0-9]+)?|@[0-9]{8}|@default|@latest)$`)
	dateSuffix   = regexp.MustCompile(`-(20[0-9]{6}|20[0-9]{2}-[0-9]{2}-[0-9]{2})$`)
)

// literalOf is the name that a pattern of one name stands for.
func literalOf(pattern string) string {
	return strings.ToLower(strings.ReplaceAll(strings.Trim(pattern, "^$"), `\.`, "."))
}

// provider is the short name of a provider, as the shipped table has it.
func provider(name string) string {
	name = strings.ToLower(name)
	switch {
	case strings.HasPrefix(name, "azure"), strings.HasPrefix(name, "az."):
		return "openai"
	case strings.HasPrefix(name, "gcp."), strings.HasPrefix(name, "google"), strings.HasPrefix(name, "vertex"):
		return "google"
	case name == "moonshot_ai", name == "moonshotai":
		return "moonshot"
	case name == "bedrock", name == "amazon-bedrock":
		return "aws.bedrock"
	case name == "togetherai", name == "together":
		return "together_ai"
	}
	first, _, found := strings.Cut(name, ".")
	if found && name != "aws.bedrock" {
		return first
	}
	return name
}

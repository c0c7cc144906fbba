// Package langsmith takes what LangSmith's SDKs send and makes spans of it: runs
// and updates of runs, in parts, in batches and one by one, and feedback.
package langsmith

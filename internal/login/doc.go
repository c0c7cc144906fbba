// Package login is how processes tell a NATS server who they are: by a credentials
// file, or by a secret of AWS Secrets Manager.
package login

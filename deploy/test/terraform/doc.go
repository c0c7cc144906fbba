// Package terraform reads the module of terraform/ without Terraform: what its
// variables and outputs are, and what modules/plan makes of its inputs, which needs
// no provider. Its tests hold that against the programs that are started so; its
// program tables writes what is generated of the module.
package terraform

//go:generate go run ./tables

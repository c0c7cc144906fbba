// Package test renders the chart as Helm does, reads the compose file as docker
// compose does, and checks the results against Kubernetes' types and the program.
// It is a module of its own, so that nothing else depends on their libraries.
package test

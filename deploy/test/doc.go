// Package test renders the chart as Helm does and checks the result against
// Kubernetes' types and the program. It is a module of its own, so that nothing
// else depends on Helm.
package test

// Package e2e holds the acceptance tests: they send real data over real sockets
// to the whole product, in this process or as the built program, and compare
// what comes back. Nothing imports it.
package e2e

//go:build race

package e2e_test

// raceDetector tells that the tests run with the race detector.
const raceDetector = true

// thinning makes the long tests do every n-th of their cases. The race detector
// makes the server twenty times slower, and it looks for what happens at the
// same time, not for wrong answers.
const thinning = 10

// Package sim holds tests of several parts together, driven by random numbers:
// every failure names the seed that repeats it.
//
// The engine is held against the oracle of traceql/traceqltest/oracle: random
// queries on random traces, whose rows lie in memory and in blocks in random
// layouts, must give the same answers. It is on this floor because the engine's
// own tests cannot write blocks.
package sim

// Package vectest makes random rows and random filters, and decides filters by
// brute force, so that every source of rows can be held against the same truth.
package vectest

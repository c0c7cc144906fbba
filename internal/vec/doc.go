// Package vec decides conditions on many rows at once: bitmaps of rows,
// predicates on the values of one field, and filters made of them. It knows
// neither how values are stored nor the query language.
package vec

// Package price says what tokens of models cost: a table that comes with the
// program, prices of a project before it, and the rules by which a model's name
// finds its entry. Figures are dollars per token.
package price

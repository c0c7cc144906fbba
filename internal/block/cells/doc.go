// Package cells holds the values of columns while a block is made: first as they
// are added, row by row, then as a Column, for which it has decided whether there
// is a dictionary and how pages are encoded. It knows nothing of which columns
// there are, nor how pages are compressed and laid out.
package cells

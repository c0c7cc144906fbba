package engine

// SearchInRoom is Search that keeps no more than about room candidates.
var SearchInRoom = search

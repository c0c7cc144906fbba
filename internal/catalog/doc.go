// Package catalog knows which blocks there are. The bucket's listing is the
// block list: names say what a block covers, and the covering rule says which
// of them count. A View pairs a listing with the floor of every partition's
// log, read before the listing began, and Join puts blocks and live segments
// together so that every acknowledged message is seen, once.
package catalog

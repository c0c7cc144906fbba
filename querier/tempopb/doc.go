// Package tempopb has the messages of Grafana Tempo's query API: requests are
// read from protobuf, replies are written as protobuf or as its JSON form.
//
// There is no generated code. A reply is described once, field by field with
// number and name, by a function that walks over the engine's results; an
// encoder writes what it says in either form. So both forms agree, nothing is
// copied into messages first, and an answer of megabytes costs no reflection.
//
// Clients decode JSON strictly: a field that is not in the API fails the whole
// query. Nothing may be added here.
package tempopb

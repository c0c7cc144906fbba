// Package project knows what is set for each project: how long its data is
// kept, its limits, and the keys that give access to it. The truth is objects
// in the bucket, one for the settings and one for every key:
//
//	projects/<name>/settings.json
//	projects/<name>/keys/<id>.json
//	projects/_all/keys/<id>.json     of keys that are good for every project
//
// A Registry writes them, under conditions of the bucket, so that no update is
// lost. A Directory is a copy in memory, made anew every few seconds, by which a
// process answers who may do what.
//
// A project without settings is one with the defaults: nobody has to create a
// project before spans can be sent to it, unless keys are asked for. A project
// that was deleted leaves its settings behind as a tombstone.
package project

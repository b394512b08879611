//go:build !head

package main

import (
	"context"
	"errors"
	"time"

	"github.com/ipfs/go-cid"
	ds "github.com/ipfs/go-datastore"
	crdt "github.com/ipfs/go-ds-crdt"
	ipld "github.com/ipfs/go-ipld-format"
)

const (
	build        = "release"
	hasNamedDags = false
)

// store is what the two builds have in common by name.
type store = *crdt.Datastore

var errOnlyHead = errors.New("only the unreleased head can do this")

func openStore(rows ds.Datastore, namespace ds.Key, dag ipld.DAGService, said crdt.Broadcaster, o *crdt.Options) (store, error) {
	return crdt.New(rows, namespace, dag, said, o)
}

func setBatchDelay(_ *crdt.Options, delay time.Duration) error {
	if delay != 0 {
		return errOnlyHead
	}
	return nil
}

// headsOf has no names and no heights of single heads: the release does not tell them.
func headsOf(ctx context.Context, s store) []head {
	var heads []head
	for _, c := range s.InternalStats(ctx).Heads {
		heads = append(heads, head{Cid: c.String(), cid: c})
	}
	return heads
}

func publishTo(context.Context, store, string, []operation) (cid.Cid, error) {
	return cid.Undef, errOnlyHead
}

func purge(context.Context, store, string) (int, error) {
	return 0, errOnlyHead
}

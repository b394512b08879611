package main

import (
	"context"
	"sync"

	"github.com/ipfs/boxo/blockstore"
	block "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
)

// hidingBlockstore can have lost blocks, so that the peer announces what it cannot serve.
type hidingBlockstore struct {
	blockstore.Blockstore
	mutex  sync.RWMutex
	hidden *cid.Set
}

func newHidingBlockstore(given blockstore.Blockstore) *hidingBlockstore {
	return &hidingBlockstore{Blockstore: given, hidden: cid.NewSet()}
}

// hide makes blocks vanish, and show brings all of them back.
func (b *hidingBlockstore) hide(cids []cid.Cid) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for _, c := range cids {
		b.hidden.Add(c)
	}
}

func (b *hidingBlockstore) show() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.hidden = cid.NewSet()
}

func (b *hidingBlockstore) isHidden(c cid.Cid) bool {
	b.mutex.RLock()
	defer b.mutex.RUnlock()
	return b.hidden.Has(c)
}

// Get is a blockstore's, and so are the others below.
func (b *hidingBlockstore) Get(ctx context.Context, c cid.Cid) (block.Block, error) {
	if b.isHidden(c) {
		return nil, ipld.ErrNotFound{Cid: c}
	}
	return b.Blockstore.Get(ctx, c)
}

func (b *hidingBlockstore) GetSize(ctx context.Context, c cid.Cid) (int, error) {
	if b.isHidden(c) {
		return -1, ipld.ErrNotFound{Cid: c}
	}
	return b.Blockstore.GetSize(ctx, c)
}

func (b *hidingBlockstore) Has(ctx context.Context, c cid.Cid) (bool, error) {
	if b.isHidden(c) {
		return false, nil
	}
	return b.Blockstore.Has(ctx, c)
}

package main

import (
	"bytes"
	"context"
	"slices"

	"github.com/ipfs/boxo/datastore/dshelp"
	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/go-cid"
	ds "github.com/ipfs/go-datastore"
	ipld "github.com/ipfs/go-ipld-format"
	libp2ppeer "github.com/libp2p/go-libp2p/core/peer"
)

// dagOf is everything at and below some nodes, or the heads, that is here: nothing is asked of anybody.
func dagOf(ctx context.Context, p *peer, from []string, only bool) (any, error) {
	waiting, err := parse(from)
	if err != nil {
		return nil, err
	}
	if len(from) == 0 {
		for _, h := range headsOf(ctx, p.store) {
			waiting = append(waiting, h.cid)
		}
	}
	seen := map[string]bool{}
	blocks := [][]byte{}
	missing := []string{}
	unprocessed := []string{}
	for len(waiting) > 0 {
		c := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		// A node is its multihash, whatever the version of its CID.
		if seen[string(c.Hash())] {
			continue
		}
		seen[string(c.Hash())] = true
		b, err := p.blocks.Get(ctx, c)
		if ipld.IsNotFound(err) {
			missing = append(missing, c.String())
			continue
		}
		if err != nil {
			return nil, err
		}
		if isDone, err := isProcessed(ctx, p, c); err != nil {
			return nil, err
		} else if !isDone {
			unprocessed = append(unprocessed, c.String())
		}
		blocks = append(blocks, b.RawData())
		if only {
			continue
		}
		node, err := merkledag.DecodeProtobuf(b.RawData())
		if err != nil {
			return nil, err
		}
		for _, link := range node.Links() {
			waiting = append(waiting, link.Cid)
		}
	}
	return map[string]any{"blocks": blocks, "missing": missing, "unprocessed": unprocessed}, nil
}

// everyBlock is what its blockstore has, below the heads or not.
func everyBlock(ctx context.Context, p *peer) ([][]byte, error) {
	keys, err := p.blocks.AllKeysChan(ctx)
	if err != nil {
		return nil, err
	}
	blocks := [][]byte{}
	for c := range keys {
		b, err := p.blocks.Get(ctx, cid.NewCidV1(cid.DagProtobuf, c.Hash()))
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, b.RawData())
	}
	return blocks, nil
}

func (wanted condition) isMet(ctx context.Context, p *peer) (bool, error) {
	for _, text := range wanted.Processed {
		c, err := cid.Decode(text)
		if err != nil {
			return false, err
		}
		if isDone, err := isProcessed(ctx, p, c); err != nil || !isDone {
			return false, err
		}
	}
	topic := p.pubsub.ListPeers(p.topic)
	for _, text := range wanted.Topic {
		if !slices.ContainsFunc(topic, func(id libp2ppeer.ID) bool { return id.String() == text }) {
			return false, nil
		}
	}
	if wanted.Key == "" {
		return true, nil
	}
	value, err := p.store.Get(ctx, ds.NewKey(wanted.Key))
	if err == ds.ErrNotFound {
		return wanted.Absent, nil
	}
	return !wanted.Absent && bytes.Equal(value, wanted.Value), err
}

// isProcessed looks at the row that go-ds-crdt writes for a node that it has merged.
func isProcessed(ctx context.Context, p *peer, c cid.Cid) (bool, error) {
	return p.rows.Has(ctx, ds.NewKey("crdt").ChildString("b").ChildString(dshelp.MultihashToDsKey(c.Hash()).String()))
}

func parse(texts []string) ([]cid.Cid, error) {
	cids := make([]cid.Cid, 0, len(texts))
	for _, text := range texts {
		c, err := cid.Decode(text)
		if err != nil {
			return nil, err
		}
		cids = append(cids, c)
	}
	return cids, nil
}

// nodeCid is the CID of bytes as a node: dag-pb, sha2-256.
func nodeCid(bytes []byte) (cid.Cid, error) {
	return cid.V1Builder{Codec: cid.DagProtobuf, MhType: 0x12, MhLength: -1}.Sum(bytes)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	block "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	libp2ppeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// call is what a line on stdin says. Bytes are base64; what a call does not need is absent.
type call struct {
	ID         int         `json:"id"`
	Do         string      `json:"do"`
	Key        string      `json:"key"`
	Operations []operation `json:"operations"`
	DagName    string      `json:"dagName"`
	Address    string      `json:"address"`
	Peer       string      `json:"peer"`
	Cids       []string    `json:"cids"`
	Data       []byte      `json:"data"`
	Inputs     [][]byte    `json:"inputs"`
	Kind       string      `json:"kind"`
	Until      condition   `json:"until"`
	Parallel   int         `json:"parallel"`
	Count      int         `json:"count"`
	Prefix     string      `json:"prefix"`
	Only       bool        `json:"only"`
}

// operation is a put, a delete, or a batch of them.
type operation struct {
	Op    string `json:"op"`
	Key   string `json:"key"`
	Value []byte `json:"value"`
	// Size asks for a value of so many bytes in place of one that is given.
	Size  int         `json:"size"`
	Batch []operation `json:"batch"`
	// Raw leaves the key as it is, where go-datastore's NewKey would clean it.
	Raw bool `json:"raw"`
}

func (o operation) bytes() []byte {
	if o.Size == 0 {
		return o.Value
	}
	value := make([]byte, o.Size)
	for i := range value {
		value[i] = byte(i * 31 >> 3)
	}
	copy(value, o.Value)
	return value
}

func (o operation) key() ds.Key {
	if o.Raw {
		return ds.RawKey(o.Key)
	}
	return ds.NewKey(o.Key)
}

// head is a head as it is told.
type head struct {
	Cid      string `json:"cid"`
	DagName  string `json:"dagName"`
	Priority uint64 `json:"priority,string"`
	cid      cid.Cid
}

func answer(p *peer, c call) (any, error) {
	ctx := context.Background()
	switch c.Do {
	case "run":
		return run(ctx, p, c.Operations, c.Parallel)
	case "fill":
		return nil, fill(ctx, p, c)
	case "publish":
		written, err := publishTo(ctx, p.store, c.DagName, c.Operations)
		return written.String(), err
	case "purge":
		return purge(ctx, p.store, c.DagName)
	case "get":
		return get(ctx, p, c.Key)
	case "list":
		return list(ctx, p)
	case "heads":
		return headsOf(ctx, p.store), nil
	case "dag":
		return dagOf(ctx, p, c.Cids, c.Only)
	case "blocks":
		return everyBlock(ctx, p)
	case "stats":
		return statsOf(ctx, p), nil
	case "until":
		return until(ctx, p, c.Until)
	case "sync":
		return nil, p.store.Sync(ctx, ds.NewKey("/"))
	case "repair":
		return nil, p.store.Repair(ctx)
	case "said":
		return p.said.take(), nil
	case "broadcast":
		return nil, p.said.Broadcaster.Broadcast(ctx, c.Data)
	case "decode":
		return decodeAll(c.Kind, c.Inputs), nil
	}
	return answerOfNetwork(ctx, p, c)
}

func answerOfNetwork(ctx context.Context, p *peer, c call) (any, error) {
	switch c.Do {
	case "connect":
		address, err := multiaddr.NewMultiaddr(c.Address)
		if err != nil {
			return nil, err
		}
		info, err := libp2ppeer.AddrInfoFromP2pAddr(address)
		if err != nil {
			return nil, err
		}
		return nil, p.host.Connect(ctx, *info)
	case "disconnect":
		id, err := libp2ppeer.Decode(c.Peer)
		if err != nil {
			return nil, err
		}
		return nil, p.host.Network().ClosePeer(id)
	case "peers":
		return map[string]any{"connected": p.host.Network().Peers(), "topic": p.pubsub.ListPeers(p.topic)}, nil
	case "hide":
		cids, err := parse(c.Cids)
		p.blocks.hide(cids)
		return nil, err
	case "show":
		p.blocks.show()
		return nil, nil
	case "add":
		return addBlocks(ctx, p, c.Inputs)
	}
	return nil, fmt.Errorf("there is no call %q", c.Do)
}

// run makes operations one after the other, or so many at a time.
func run(ctx context.Context, p *peer, operations []operation, parallel int) (any, error) {
	if parallel < 1 {
		parallel = 1
	}
	waiting := make(chan operation)
	failed := make(chan error, parallel)
	for range parallel {
		go func() {
			var err error
			for o := range waiting {
				err = errors.Join(err, write(ctx, p, o))
			}
			failed <- err
		}()
	}
	for _, o := range operations {
		waiting <- o
	}
	close(waiting)
	var err error
	for range parallel {
		err = errors.Join(err, <-failed)
	}
	return nil, err
}

func write(ctx context.Context, p *peer, o operation) error {
	switch o.Op {
	case "put":
		return p.store.Put(ctx, o.key(), o.bytes())
	case "delete":
		return p.store.Delete(ctx, o.key())
	case "publish":
		_, err := publishTo(ctx, p.store, o.Key, o.Batch)
		return err
	}
	batch, err := p.store.Batch(ctx)
	if err != nil {
		return err
	}
	for _, inner := range o.Batch {
		if inner.Op == "put" {
			err = batch.Put(ctx, inner.key(), inner.bytes())
		} else {
			err = batch.Delete(ctx, inner.key())
		}
		if err != nil {
			return err
		}
	}
	return batch.Commit(ctx)
}

// fill writes a history: so many puts, a delta each.
func fill(ctx context.Context, p *peer, c call) error {
	for i := range c.Count {
		if err := p.store.Put(ctx, ds.NewKey(fmt.Sprintf("%s%d", c.Prefix, i)), c.Data); err != nil {
			return err
		}
	}
	return nil
}

func get(ctx context.Context, p *peer, key string) (any, error) {
	value, err := p.store.Get(ctx, ds.NewKey(key))
	if err == ds.ErrNotFound {
		return nil, nil
	}
	return map[string]any{"value": value}, err
}

func list(ctx context.Context, p *peer) (map[string][]byte, error) {
	results, err := p.store.Query(ctx, query.Query{})
	if err != nil {
		return nil, err
	}
	entries, err := results.Rest()
	if err != nil {
		return nil, err
	}
	state := make(map[string][]byte, len(entries))
	for _, entry := range entries {
		// An empty value is to be told from none.
		state[entry.Key] = append([]byte{}, entry.Value...)
	}
	return state, nil
}

func statsOf(ctx context.Context, p *peer) any {
	stats := p.store.InternalStats(ctx)
	return map[string]any{
		"heads":     len(stats.Heads),
		"maxHeight": fmt.Sprint(stats.MaxHeight),
		"queued":    stats.QueuedJobs,
		"dirty":     p.store.IsDirty(ctx),
	}
}

func addBlocks(ctx context.Context, p *peer, inputs [][]byte) (any, error) {
	var cids []string
	for _, bytes := range inputs {
		c, err := nodeCid(bytes)
		if err != nil {
			return nil, err
		}
		b, err := block.NewBlockWithCid(bytes, c)
		if err != nil {
			return nil, err
		}
		if err := p.lite.BlockService().AddBlock(ctx, b); err != nil {
			return nil, err
		}
		cids = append(cids, c.String())
	}
	return cids, nil
}

// condition is what a call waits for: a value of a key, that it has none, processed nodes, or peers on the topic.
type condition struct {
	Key       string   `json:"key"`
	Value     []byte   `json:"value"`
	Absent    bool     `json:"absent"`
	Processed []string `json:"processed"`
	Topic     []string `json:"topic"`
	WithinMs  int      `json:"withinMs"`
}

func until(ctx context.Context, p *peer, wanted condition) (any, error) {
	start := time.Now()
	for {
		met, err := wanted.isMet(ctx, p)
		if err != nil {
			return nil, err
		}
		if met {
			return time.Since(start).Milliseconds(), nil
		}
		if time.Since(start) > time.Duration(wanted.WithinMs)*time.Millisecond {
			return nil, fmt.Errorf("it did not come in %d ms: %+v", wanted.WithinMs, statsOf(ctx, p))
		}
		time.Sleep(500 * time.Microsecond)
	}
}

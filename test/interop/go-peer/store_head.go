//go:build head

package main

import (
	"context"
	"time"

	"github.com/ipfs/go-cid"
	ds "github.com/ipfs/go-datastore"
	crdt "github.com/ipfs/go-ds-crdt"
	pb "github.com/ipfs/go-ds-crdt/pb"
	ipld "github.com/ipfs/go-ipld-format"
	"google.golang.org/protobuf/proto"
)

const (
	build        = "head"
	hasNamedDags = true
)

// store is what the two builds have in common by name.
type store = *crdt.MerkleCRDT

func openStore(rows ds.Datastore, namespace ds.Key, dag ipld.DAGService, said crdt.Broadcaster, o *crdt.Options) (store, error) {
	return crdt.NewMerkleCRDT(rows, namespace, dag, said, o, nil)
}

func setBatchDelay(o *crdt.Options, delay time.Duration) error {
	o.BroadcastBatchDelay = delay
	return nil
}

func headsOf(ctx context.Context, s store) []head {
	var heads []head
	for _, h := range s.InternalStats(ctx).Heads {
		heads = append(heads, head{Cid: h.Cid.String(), DagName: h.DAGName, Priority: h.Height, cid: h.Cid})
	}
	return heads
}

// publishTo writes operations as one delta of a DAG, with keys as they are given.
func publishTo(ctx context.Context, s store, dagName string, operations []operation) (cid.Cid, error) {
	delta := &delta{&pb.Delta{DagName: dagName}}
	for _, o := range operations {
		if o.Op == "put" {
			delta.Elements = append(delta.Elements, &pb.Element{Key: o.Key, Value: o.bytes()})
			continue
		}
		removed, err := s.Set().Rmv(ctx, o.Key)
		if err != nil {
			return cid.Undef, err
		}
		tombstones, err := removed.GetTombstones()
		if err != nil {
			return cid.Undef, err
		}
		delta.Tombstones = append(delta.Tombstones, tombstones...)
	}
	h, err := s.Publish(ctx, delta)
	return h.Cid, err
}

func purge(ctx context.Context, s store, dagName string) (int, error) {
	return s.PurgeDAG(ctx, dagName)
}

// delta is go-ds-crdt's own, which it does not export.
type delta struct{ *pb.Delta }

func (d *delta) GetElements() ([]*pb.Element, error)   { return d.Delta.GetElements(), nil }
func (d *delta) GetTombstones() ([]*pb.Element, error) { return d.Delta.GetTombstones(), nil }
func (d *delta) SetElements(elements []*pb.Element)    { d.Elements = elements }
func (d *delta) SetTombstones(tombs []*pb.Element)     { d.Tombstones = tombs }
func (d *delta) SetPriority(priority uint64)           { d.Priority = priority }
func (d *delta) SetDagName(name string)                { d.DagName = name }
func (d *delta) Size() int                             { return proto.Size(d.Delta) }
func (d *delta) IsEmpty() bool                         { return len(d.Elements)+len(d.Tombstones) == 0 }
func (d *delta) Unmarshal(bytes []byte) error          { return proto.Unmarshal(bytes, d.Delta) }
func (d *delta) Marshal() ([]byte, error)              { return proto.Marshal(d.Delta) }

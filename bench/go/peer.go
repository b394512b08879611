package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	ipfslite "github.com/hsanjuan/ipfs-lite"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-datastore"
	crdt "github.com/ipfs/go-ds-crdt"
	pebbleds "github.com/ipfs/go-ds-pebble"
	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pubsubpb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	libp2ppeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/multiformats/go-multiaddr"
)

// A peer as the example of go-ds-crdt makes it: Pebble, ipfs-lite and gossipsub, all with their default options, but
// without a DHT: it asks the peers that it is connected to.
type peer struct {
	stop   context.CancelFunc
	pebble *pebbleds.Datastore
	host   host.Host
	psub   *pubsub.PubSub
	store  *crdt.Datastore
	meshed atomic.Bool

	mutex  sync.Mutex
	prefix string
	times  []float64
}

// Finds nobody and provides nothing.
type noRouting struct{}

func (noRouting) Provide(context.Context, cid.Cid, bool) error { return nil }
func (noRouting) FindProvidersAsync(context.Context, cid.Cid, int) <-chan libp2ppeer.AddrInfo {
	found := make(chan libp2ppeer.AddrInfo)
	close(found)
	return found
}
func (noRouting) FindPeer(context.Context, libp2ppeer.ID) (libp2ppeer.AddrInfo, error) {
	return libp2ppeer.AddrInfo{}, routing.ErrNotFound
}
func (noRouting) PutValue(context.Context, string, []byte, ...routing.Option) error {
	return routing.ErrNotSupported
}
func (noRouting) GetValue(context.Context, string, ...routing.Option) ([]byte, error) {
	return nil, routing.ErrNotFound
}
func (noRouting) SearchValue(context.Context, string, ...routing.Option) (<-chan []byte, error) {
	return nil, routing.ErrNotFound
}
func (noRouting) Bootstrap(context.Context) error { return nil }

func (p *peer) open(args arguments) (any, error) {
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	var err error
	if p.pebble, err = pebbleds.NewDatastore(args.Folder); err != nil {
		return nil, err
	}
	if p.host, err = libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0")); err != nil {
		return nil, err
	}
	if p.psub, err = pubsub.NewGossipSub(ctx, p.host, pubsub.WithEventTracer(p)); err != nil {
		return nil, err
	}
	lite, err := ipfslite.New(ctx, p.pebble, nil, p.host, noRouting{}, &ipfslite.Config{ReprovideInterval: -1})
	if err != nil {
		return nil, err
	}
	broadcaster, err := crdt.NewPubSubBroadcaster(ctx, p.psub, args.Topic)
	if err != nil {
		return nil, err
	}
	options := crdt.DefaultOptions()
	options.PutHook = p.hear
	if p.store, err = crdt.New(p.pebble, datastore.NewKey("crdt"), lite, broadcaster, options); err != nil {
		return nil, err
	}
	return fmt.Sprintf("%s/p2p/%s", p.host.Addrs()[0], p.host.ID()), nil
}

func (p *peer) dial(args arguments) (any, error) {
	address, err := multiaddr.NewMultiaddr(args.Address)
	if err != nil {
		return nil, err
	}
	info, err := libp2ppeer.AddrInfoFromP2pAddr(address)
	if err != nil {
		return nil, err
	}
	p.host.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.PermanentAddrTTL)
	return nil, p.host.Connect(context.Background(), *info)
}

// Trace notes when another peer is in the mesh of the topic. What is published before reaches nobody: the mesh forms
// with a heartbeat, every second, and until then a Go peer sends to nobody.
func (p *peer) Trace(event *pubsubpb.TraceEvent) {
	if event.GetType() == pubsubpb.TraceEvent_GRAFT {
		p.meshed.Store(true)
	}
}

func (p *peer) subscribed(arguments) (any, error) {
	for range 10_000 {
		if p.meshed.Load() {
			return nil, nil
		}
		time.Sleep(time.Millisecond)
	}
	return nil, errors.New("nobody subscribed")
}

func (p *peer) close(arguments) (any, error) {
	// In this order, or closing may hang; go-ds-crdt says so.
	p.stop()
	return nil, errors.Join(p.store.Close(), p.host.Close(), p.pebble.Close())
}

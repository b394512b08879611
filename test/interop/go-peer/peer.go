package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand"

	pebbledb "github.com/cockroachdb/pebble/v2"
	ipfslite "github.com/hsanjuan/ipfs-lite"
	"github.com/ipfs/boxo/blockstore"
	ds "github.com/ipfs/go-datastore"
	crdt "github.com/ipfs/go-ds-crdt"
	pebble "github.com/ipfs/go-ds-pebble"
	logging "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// peer is a go-ds-crdt datastore as its own example makes one: gossipsub with its defaults, and blocks by way of
// ipfs-lite over bitswap, without a DHT, so that it asks only the peers that it is connected to.
type peer struct {
	host    host.Host
	lite    *ipfslite.Peer
	blocks  *hidingBlockstore
	pubsub  *pubsub.PubSub
	said    *listeningBroadcaster
	topic   string
	rows    ds.Batching
	store   store
	stop    context.CancelFunc
	silence context.CancelFunc
}

func newPeer(parent context.Context, s settings) (*peer, error) {
	ctx, stop := context.WithCancel(parent)
	p := &peer{stop: stop, topic: s.topic}
	if err := p.open(ctx, s); err != nil {
		stop()
		return nil, err
	}
	return p, nil
}

func (p *peer) open(ctx context.Context, s settings) error {
	key, _, err := crypto.GenerateEd25519Key(entropyOf(s.seed))
	if err != nil {
		return err
	}
	p.host, err = libp2p.New(
		libp2p.Identity(key),
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		libp2p.NoTransports,
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		// Its limits count peers by address, and here all are at one.
		libp2p.ResourceManager(&network.NullResourceManager{}),
	)
	if err != nil {
		return err
	}
	p.rows = ipfslite.NewInMemoryDatastore()
	if s.data != "" {
		writing := pebbledb.NoSync
		if s.fsync {
			writing = pebbledb.Sync
		}
		if p.rows, err = pebble.NewDatastore(s.data, pebble.WithPebbleWriteOptions(writing)); err != nil {
			return err
		}
	}
	p.blocks = newHidingBlockstore(blockstore.NewBlockstore(p.rows, blockstore.WriteThrough(true)))
	// There is no router, and so nobody is told of blocks and nobody else is asked for them.
	p.lite, err = ipfslite.New(ctx, p.rows, p.blocks, p.host, nil,
		&ipfslite.Config{ReprovideInterval: -1, UncachedBlockstore: true})
	if err != nil {
		return err
	}
	if p.pubsub, err = pubsub.NewGossipSub(ctx, p.host); err != nil {
		return err
	}
	broadcasting, silence := context.WithCancel(ctx)
	p.silence = silence
	broadcaster, err := crdt.NewPubSubBroadcaster(broadcasting, p.pubsub, s.topic)
	if err != nil {
		return err
	}
	p.said = &listeningBroadcaster{Broadcaster: broadcaster}
	options := crdt.DefaultOptions()
	options.Logger = logging.Logger("crdt")
	options.RebroadcastInterval = s.rebroadcast
	options.DAGSyncerTimeout = s.fetchTimeout
	options.RepairInterval = s.repairInterval
	options.NumWorkers = s.workers
	options.MaxBatchDeltaSize = s.maxDelta
	options.MultiHeadProcessing = s.multipleAtATime
	if err := setBatchDelay(options, s.batchDelay); err != nil {
		return err
	}
	p.store, err = openStore(p.rows, ds.NewKey("crdt"), p.lite, p.said, options)
	return err
}

// address is where others reach it.
func (p *peer) address() string {
	return fmt.Sprintf("%s/p2p/%s", p.host.Addrs()[0], p.host.ID())
}

// close ends everything in the order that go-ds-crdt asks for: the broadcaster first, the datastore last.
func (p *peer) close() error {
	p.silence()
	if err := p.store.Close(); err != nil {
		return err
	}
	p.stop()
	if err := p.host.Close(); err != nil {
		return err
	}
	return p.rows.Close()
}

// entropyOf gives the same bytes for the same text, and others each time for none.
func entropyOf(seed string) io.Reader {
	if seed == "" {
		seed = fmt.Sprint(rand.Int63())
	}
	sum := sha256.Sum256([]byte(seed))
	return bytes.NewReader(sum[:])
}

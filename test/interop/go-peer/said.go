package main

import (
	"context"
	"sync"

	crdt "github.com/ipfs/go-ds-crdt"
)

// listeningBroadcaster remembers what the replica says, and can stop hearing what others say.
type listeningBroadcaster struct {
	crdt.Broadcaster
	mutex    sync.Mutex
	messages [][]byte
}

// Broadcast sends a message as the broadcaster does that it wraps.
func (b *listeningBroadcaster) Broadcast(ctx context.Context, data []byte) error {
	b.mutex.Lock()
	b.messages = append(b.messages, append([]byte(nil), data...))
	b.mutex.Unlock()
	return b.Broadcaster.Broadcast(ctx, data)
}

// take gives what was said since the last time.
func (b *listeningBroadcaster) take() [][]byte {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	taken := b.messages
	b.messages = nil
	return taken
}

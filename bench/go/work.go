package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

const valueBytes = 100

// Keys and values are those of workload.ts: a value carries the number of its key, and the time of its writing.
func makeKey(prefix string, index int) datastore.Key {
	return datastore.NewKey(fmt.Sprintf("/%s/%07d", prefix, index))
}

func makeValue(index int) []byte {
	value := make([]byte, valueBytes)
	state := uint32(index+1)*0x9e3779b1 | 1
	for offset := 0; offset < valueBytes; offset += 4 {
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		binary.BigEndian.PutUint32(value[offset:], state)
	}
	binary.BigEndian.PutUint32(value, uint32(index))
	binary.BigEndian.PutUint64(value[4:], uint64(time.Now().UnixNano()))
	return value
}

func checkValue(key datastore.Key, value []byte, index int) error {
	if len(value) != valueBytes || binary.BigEndian.Uint32(value) != uint32(index) {
		return fmt.Errorf("wrong answer: %s has another value", key)
	}
	return nil
}

// A time that was taken, in milliseconds.
type taken struct {
	Ms float64 `json:"ms"`
}

func since(start time.Time) taken {
	return taken{Ms: float64(time.Since(start).Nanoseconds()) / 1e6}
}

func (p *peer) puts(args arguments) (any, error) {
	start := time.Now()
	for i := args.From; i < args.From+args.Count; i++ {
		if err := p.store.Put(context.Background(), makeKey(args.Prefix, i), makeValue(i)); err != nil {
			return nil, err
		}
		if args.Pause > 0 {
			time.Sleep(time.Duration(args.Pause) * time.Millisecond)
		}
	}
	return since(start), nil
}

func (p *peer) batch(args arguments) (any, error) {
	ctx := context.Background()
	start := time.Now()
	batch, err := p.store.Batch(ctx)
	if err != nil {
		return nil, err
	}
	for i := args.From; i < args.From+args.Count; i++ {
		if err := batch.Put(ctx, makeKey(args.Prefix, i), makeValue(i)); err != nil {
			return nil, err
		}
	}
	if err := batch.Commit(ctx); err != nil {
		return nil, err
	}
	return since(start), nil
}

func (p *peer) gets(args arguments) (any, error) {
	start := time.Now()
	for _, i := range args.Indexes {
		key := makeKey(args.Prefix, i)
		value, err := p.store.Get(context.Background(), key)
		if err != nil {
			return nil, err
		}
		if err := checkValue(key, value, i); err != nil {
			return nil, err
		}
	}
	return since(start), nil
}

func (p *peer) query(args arguments) (any, error) {
	start := time.Now()
	results, err := p.store.Query(context.Background(), query.Query{Prefix: "/" + args.Prefix})
	if err != nil {
		return nil, err
	}
	defer results.Close()
	rows := 0
	for result := range results.Next() {
		if result.Error != nil {
			return nil, result.Error
		}
		if len(result.Value) != valueBytes {
			return nil, fmt.Errorf("wrong answer: %s has another value", result.Key)
		}
		rows++
	}
	if rows != args.Count {
		return nil, fmt.Errorf("wrong answer: %d rows of %d", rows, args.Count)
	}
	return since(start), nil
}

// Writes one key over and over again.
func (p *peer) overwrite(args arguments) (any, error) {
	start := time.Now()
	for i := range args.Count {
		if err := p.store.Put(context.Background(), makeKey(args.Prefix, args.From), makeValue(i)); err != nil {
			return nil, err
		}
	}
	return since(start), nil
}

func (p *peer) remove(args arguments) (any, error) {
	ctx := context.Background()
	key := makeKey(args.Prefix, args.From)
	start := time.Now()
	if err := p.store.Delete(ctx, key); err != nil {
		return nil, err
	}
	result := since(start)
	if has, err := p.store.Has(ctx, key); err != nil || has {
		return nil, fmt.Errorf("wrong answer: %s is there after its delete (%v)", key, err)
	}
	return result, nil
}

// Waits until every key of a prefix is there. The time runs from the call.
func (p *peer) reached(args arguments) (any, error) {
	start := time.Now()
	next := args.From
	for next < args.From+args.Count {
		has, err := p.store.Has(context.Background(), makeKey(args.Prefix, next))
		if err != nil {
			return nil, err
		}
		if has {
			next++
			continue
		}
		if time.Since(start) > time.Duration(args.WithinMs)*time.Millisecond {
			return nil, fmt.Errorf("%d of %d keys after %d ms", next-args.From, args.Count, args.WithinMs)
		}
		time.Sleep(time.Millisecond)
	}
	return since(start), nil
}

// Begins to take the time from the put to the hook of every key below a prefix.
func (p *peer) listen(args arguments) (any, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.prefix, p.times = "/"+args.Prefix+"/", nil
	return nil, nil
}

func (p *peer) hear(key datastore.Key, value []byte) {
	now := time.Now().UnixNano()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.prefix == "" || !strings.HasPrefix(key.String(), p.prefix) || len(value) != valueBytes {
		return
	}
	written := int64(binary.BigEndian.Uint64(value[4:]))
	p.times = append(p.times, float64(now-written)/1e6)
}

// Those times in milliseconds, once there are so many.
func (p *peer) heard(args arguments) (any, error) {
	for range args.WithinMs {
		p.mutex.Lock()
		times := append([]float64{}, p.times...)
		p.mutex.Unlock()
		if len(times) >= args.Count {
			return times, nil
		}
		time.Sleep(time.Millisecond)
	}
	return nil, fmt.Errorf("less than %d changes after %d ms", args.Count, args.WithinMs)
}

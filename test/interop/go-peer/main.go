// Command go-peer is a go-ds-crdt replica for the interop tests, driven by lines of JSON.
//
// A line on stdin is a call, {"id", "do", ...}; a line on stdout is its answer, {"id", "result"} or {"id", "error"}.
// Calls run beside each other, so that one that waits holds up no other; who wants them in order waits for the answers.
// The first line says where the peer is: {"ready": {"id", "address", "build"}}. What it logs goes to stderr.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// settings are the peer's command line.
type settings struct {
	data            string
	topic           string
	seed            string
	rebroadcast     time.Duration
	batchDelay      time.Duration
	fetchTimeout    time.Duration
	repairInterval  time.Duration
	workers         int
	maxDelta        int
	multipleAtATime bool
	fsync           bool
}

func main() {
	var s settings
	flag.StringVar(&s.data, "data", "", "folder of a Pebble datastore; in memory if empty")
	flag.StringVar(&s.topic, "topic", "interop", "gossipsub topic")
	flag.StringVar(&s.seed, "seed", "", "what the peer's identity is made of; a random one if empty")
	flag.DurationVar(&s.rebroadcast, "rebroadcast", time.Minute, "RebroadcastInterval")
	flag.DurationVar(&s.batchDelay, "batch-delay", 0, "BroadcastBatchDelay, which the release does not have")
	flag.DurationVar(&s.fetchTimeout, "fetch-timeout", 5*time.Minute, "DAGSyncerTimeout")
	flag.DurationVar(&s.repairInterval, "repair", time.Hour, "RepairInterval")
	flag.IntVar(&s.workers, "workers", 5, "NumWorkers")
	flag.IntVar(&s.maxDelta, "max-delta", 1<<20, "MaxBatchDeltaSize")
	flag.BoolVar(&s.multipleAtATime, "multi-head", false, "MultiHeadProcessing")
	flag.BoolVar(&s.fsync, "fsync", false, "write every row of Pebble to disk at once, which it does not by default")
	flag.Parse()

	out := &output{encoder: json.NewEncoder(os.Stdout)}
	p, err := newPeer(context.Background(), s)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	out.say(map[string]any{"ready": map[string]any{
		"id": p.host.ID().String(), "address": p.address(), "build": build, "namedDags": hasNamedDags,
	}})
	serve(p, out)
	if err := p.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve answers calls until there are no more, or one says quit.
func serve(p *peer, out *output) {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	var running sync.WaitGroup
	defer running.Wait()
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			if err != io.EOF {
				fmt.Fprintln(os.Stderr, err)
			}
			return
		}
		var c call
		if err := json.Unmarshal(line, &c); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		if c.Do == "quit" {
			return
		}
		running.Add(1)
		go func() {
			defer running.Done()
			result, err := answer(p, c)
			if err != nil {
				out.say(map[string]any{"id": c.ID, "error": err.Error()})
			} else {
				out.say(map[string]any{"id": c.ID, "result": result})
			}
		}()
	}
}

// output writes one line at a time.
type output struct {
	mutex   sync.Mutex
	encoder *json.Encoder
}

func (o *output) say(line any) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if err := o.encoder.Encode(line); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// The go-ds-crdt peer of the benchmarks: does what it is asked for in lines of JSON on its standard input, and answers
// in lines of JSON on its standard output. It ends with its input.
//
// A request is {"id", "method", "args"}; an answer {"id", "result"} or {"id", "error"}. Requests may overlap.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

type request struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Args   json.RawMessage `json:"args"`
}

type response struct {
	ID     int    `json:"id"`
	Result any    `json:"result,omitempty"`
	Error  string `json:"error,omitempty"`
}

// What any method may be told. Each uses what it needs.
type arguments struct {
	Folder  string `json:"folder"`
	Topic   string `json:"topic"`
	Address string `json:"address"`
	Prefix  string `json:"prefix"`
	From    int    `json:"from"`
	Count   int    `json:"count"`
	Indexes []int  `json:"indexes"`
	// Pause is milliseconds between two puts.
	Pause    int `json:"pauseMs"`
	WithinMs int `json:"withinMs"`
}

func main() {
	var output sync.Mutex
	answer := func(r response) {
		line, err := json.Marshal(r)
		if err != nil {
			line = []byte(fmt.Sprintf(`{"id":%d,"error":"the answer is no JSON"}`, r.ID))
		}
		output.Lock()
		defer output.Unlock()
		os.Stdout.Write(append(line, '\n'))
	}

	p := &peer{}
	methods := map[string]func(arguments) (any, error){
		"open":       p.open,
		"dial":       p.dial,
		"subscribed": p.subscribed,
		"puts":       p.puts,
		"batch":      p.batch,
		"gets":       p.gets,
		"query":      p.query,
		"overwrite":  p.overwrite,
		"remove":     p.remove,
		"reached":    p.reached,
		"listen":     p.listen,
		"heard":      p.heard,
		"close":      p.close,
	}

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			fmt.Fprintln(os.Stderr, "not a request:", err)
			os.Exit(1)
		}
		go func() {
			var args arguments
			if err := json.Unmarshal(r.Args, &args); err != nil {
				answer(response{ID: r.ID, Error: err.Error()})
				return
			}
			method, ok := methods[r.Method]
			if !ok {
				answer(response{ID: r.ID, Error: "no method " + r.Method})
				return
			}
			result, err := method(args)
			if err != nil {
				answer(response{ID: r.ID, Error: err.Error()})
				return
			}
			answer(response{ID: r.ID, Result: result})
		}()
	}
}

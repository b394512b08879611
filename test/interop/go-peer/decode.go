package main

import (
	"github.com/ipfs/go-cid"
	pb "github.com/ipfs/go-ds-crdt/pb"
	"github.com/multiformats/go-multihash"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// element is an element or a tombstone as it was read. Texts are bytes here, since JSON would mend them.
type element struct {
	Key   []byte `json:"key"`
	ID    []byte `json:"id"`
	Value []byte `json:"value"`
}

// decoded is what protobuf-go makes of bytes.
type decoded struct {
	Error      bool      `json:"error"`
	Elements   []element `json:"elements,omitempty"`
	Tombstones []element `json:"tombstones,omitempty"`
	Priority   uint64    `json:"priority,string"`
	DagName    []byte    `json:"dagName,omitempty"`
	Heads      []element `json:"heads,omitempty"`
	// Unknown says that there are fields at the top that this build does not know.
	Unknown bool `json:"unknown"`
	// Named says that one of them is the DAG's name, which the release does not know.
	Named bool `json:"named"`
	// Extended says that one of them is an extension, which only we read.
	Extended bool `json:"extended"`
	// Legacy is the multihash of the node that the message is the bare CID of.
	Legacy []byte `json:"legacy,omitempty"`
}

func decodeAll(kind string, inputs [][]byte) []decoded {
	results := make([]decoded, len(inputs))
	for i, bytes := range inputs {
		if kind == "delta" {
			results[i] = decodeDelta(bytes)
		} else {
			results[i] = decodeBroadcast(bytes)
		}
	}
	return results
}

func decodeDelta(bytes []byte) decoded {
	var delta pb.Delta
	if err := proto.Unmarshal(bytes, &delta); err != nil {
		return decoded{Error: true}
	}
	unknown := delta.ProtoReflect().GetUnknown()
	return decoded{
		Elements:   elementsOf(delta.GetElements()),
		Tombstones: elementsOf(delta.GetTombstones()),
		Priority:   delta.GetPriority(),
		DagName:    []byte(dagNameOf(&delta)),
		Unknown:    len(unknown) > 0,
		Named:      hasField(unknown, 4),
		Extended:   hasField(unknown, 100),
	}
}

func decodeBroadcast(bytes []byte) decoded {
	var broadcast pb.CRDTBroadcast
	if err := proto.Unmarshal(bytes, &broadcast); err != nil {
		return decoded{Error: true}
	}
	unknown := broadcast.ProtoReflect().GetUnknown()
	result := decoded{Unknown: len(unknown) > 0}
	if result.Unknown {
		// As go-ds-crdt does, which looks at no heads then.
		result.Legacy = nodeHash(unknown)
	}
	for _, h := range broadcast.GetHeads() {
		result.Named = result.Named || hasField(h.ProtoReflect().GetUnknown(), 2)
		result.Heads = append(result.Heads, element{Value: nodeHash(h.GetCid()), ID: []byte(dagNameOf(h))})
	}
	return result
}

// nodeHash is the multihash of a CID that can be a node's, and nil of any other and of what is none.
func nodeHash(bytes []byte) []byte {
	c, err := cid.Cast(bytes)
	if err != nil || c.Type() != cid.DagProtobuf || c.Prefix().MhType != multihash.SHA2_256 || c.Prefix().MhLength != 32 {
		return nil
	}
	return c.Hash()
}

func elementsOf(given []*pb.Element) []element {
	elements := make([]element, len(given))
	for i, e := range given {
		elements[i] = element{Key: []byte(e.GetKey()), ID: []byte(e.GetId()), Value: e.GetValue()}
	}
	return elements
}

// dagNameOf reads a name that the release does not have.
func dagNameOf(message any) string {
	if named, ok := message.(interface{ GetDagName() string }); ok {
		return named.GetDagName()
	}
	return ""
}

func hasField(unknown []byte, number protowire.Number) bool {
	for len(unknown) > 0 {
		found, kind, length := protowire.ConsumeField(unknown)
		if length < 0 {
			return false
		}
		if found == number && (kind == protowire.BytesType || kind == protowire.VarintType) {
			return true
		}
		unknown = unknown[length:]
	}
	return false
}

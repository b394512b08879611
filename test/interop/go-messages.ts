/**
 * What a test can ask of a Go peer, and what it answers; test/interop/go-peer has the other side. Bytes are base64.
 * Types only.
 */
export interface GoOperation {
  /** `publish` writes `batch` as one delta of the DAG that `key` names. */
  op: 'put' | 'delete' | 'batch' | 'publish'
  key?: string
  value?: string
  /** Asks for a value of so many bytes, which begins with the one that is given. */
  size?: number
  batch?: GoOperation[]
  /** Leaves the key as it is, where go-datastore's `NewKey` would clean it. */
  raw?: boolean
}

export interface GoHead {
  cid: string
  dagName: string
  /** The release does not tell it. */
  priority: string
}

export interface GoDag {
  blocks: string[]
  /** CIDs of blocks that are linked to and not there. */
  missing: string[]
  /** CIDs of blocks that are there and were not merged. */
  unprocessed: string[]
}

/** All that is named has to hold. */
export interface GoCondition {
  key?: string
  value?: string
  absent?: boolean
  processed?: string[]
  /** Peers that it knows to be on its topic. */
  topic?: string[]
}

export interface GoElement {
  key: string | null
  id: string | null
  value: string | null
}

/** What protobuf-go makes of bytes. */
export interface GoDecoded {
  error: boolean
  elements?: GoElement[]
  tombstones?: GoElement[]
  priority: string
  dagName?: string
  /** The multihash of a head is its value, if it can be a node's; the DAG's name is its id. */
  heads?: GoElement[]
  /** Fields that it does not know at the top. */
  unknown: boolean
  /** One of them is an extension, which only we read. */
  extended: boolean
  /** The multihash of the node that a legacy broadcast names. */
  legacy?: string
  /** The release does not know a DAG's name, and here is one. */
  named: boolean
}

export interface GoCalls {
  run: { operations: GoOperation[]; parallel?: number }
  fill: { count: number; prefix: string; data: string }
  publish: { dagName: string; operations: GoOperation[] }
  purge: { dagName: string }
  get: { key: string }
  list: Record<string, never>
  heads: Record<string, never>
  /** Of these CIDs, or the heads, and of what is below them; of them alone if they are all. */
  dag: { cids?: string[]; only?: boolean }
  /** All that its blockstore has, below the heads or not. */
  blocks: Record<string, never>
  stats: Record<string, never>
  until: { until: GoCondition & { withinMs: number } }
  sync: Record<string, never>
  repair: Record<string, never>
  said: Record<string, never>
  broadcast: { data: string }
  decode: { kind: 'delta' | 'broadcast'; inputs: string[] }
  connect: { address: string }
  disconnect: { peer: string }
  peers: Record<string, never>
  hide: { cids: string[] }
  show: Record<string, never>
  add: { inputs: string[] }
}

export interface GoAnswers {
  run: null
  fill: null
  publish: string
  purge: number
  get: { value: string | null } | null
  list: Record<string, string>
  heads: GoHead[] | null
  dag: GoDag
  blocks: string[]
  stats: { heads: number; maxHeight: string; queued: number; dirty: boolean }
  until: number
  sync: null
  repair: null
  said: string[] | null
  broadcast: null
  decode: GoDecoded[]
  connect: null
  disconnect: null
  peers: { connected: string[] | null; topic: string[] | null }
  hide: null
  show: null
  add: string[]
}

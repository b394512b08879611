/**
 * The vocabulary of the add-wins set: what a delta says and what a write asks for.
 *
 * Invariants: keys are canonical (see `codec/key.ts`), a key stands at most once among the elements of a
 * delta, and an element carries no id because the block that holds it names it.
 */

/**
 * The identity of a block and so of a node, and the id of every element in it: `"/"` followed by the unpadded
 * upper-case base32 of its multihash, which is go-ds-crdt's `dshelp.MultihashToDsKey(cid.Hash()).String()`.
 */
export type BlockId = string

/** A key and its value, as one delta adds it. */
export interface Element {
  key: string
  value: Uint8Array
}

/** Removes the element that block `id` added under `key`; no other element of that key is touched. */
export interface Tombstone {
  key: string
  id: BlockId
}

/** The payload of one node. */
export interface Delta {
  elements: Element[]
  tombstones: Tombstone[]
  /** An exact unsigned 64-bit integer: the causal height of the node. */
  priority: bigint
  /** The DAG that the node belongs to; `''` is the unnamed one. */
  dagName: string
  /** Features without which the effects of this delta must not be applied (wire format, field 100). */
  requires: number[]
}

/** What one local write asks for, before it is known which elements a delete has to name. */
export type Operation = { type: 'put'; key: string; value: Uint8Array } | { type: 'delete'; key: string }

/** The net wish for one key: whether what is alive goes, and what comes instead. */
export interface KeyIntent {
  clear: boolean
  value?: Uint8Array
}

/**
 * Reduces operations in call order to one intent a key, so that the last call wins and no key can stand twice
 * in a delta: a put after a delete clears and then adds, a delete after a put only clears.
 */
export function composeIntents(operations: Iterable<Operation>): Map<string, KeyIntent> {
  const intents = new Map<string, KeyIntent>()
  for (const operation of operations) {
    if (operation.type === 'put') {
      const before = intents.get(operation.key)
      intents.set(operation.key, { clear: before?.clear ?? false, value: operation.value })
    } else {
      intents.set(operation.key, { clear: true })
    }
  }
  return intents
}

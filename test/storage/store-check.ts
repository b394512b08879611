// Holds a store against the meaning of the blocks in its own log, worked out by the oracle, and against what its raw
// rows promise. Whatever happened to a store, this must hold once it is open.
import { createHash } from 'node:crypto'
import type { Datastore } from 'interface-datastore'
import { base32upper } from 'multiformats/bases/base32'
import { expect } from 'vitest'
import type { CrdtDatastore } from '../../src/index.ts'
import { decodeLog } from '../../src/storage/rows.ts'
import { type OracleState, oracle } from '../../src/testkit/oracle/oracle.ts'

/** All rows below a prefix, by key. */
export async function rawRows(datastore: Datastore, prefix = '/crdt/'): Promise<Map<string, Uint8Array>> {
  const rows = new Map<string, Uint8Array>()
  for await (const { key, value } of datastore.query({ prefix })) rows.set(key.toString(), value)
  return rows
}

/** How many rows there are of each kind; a kind is the letter below the namespace. */
export async function rowKinds(datastore: Datastore, namespace = '/crdt'): Promise<Record<string, number>> {
  const kinds: Record<string, number> = {}
  for (const row of (await rawRows(datastore, `${namespace}/`)).keys()) {
    const kind = row.charAt(namespace.length + 1)
    kinds[kind] = (kinds[kind] ?? 0) + 1
  }
  return kinds
}

/** The blocks of the log, oldest first. */
export async function loggedBlocks(datastore: Datastore, namespace = '/crdt'): Promise<Uint8Array[]> {
  const rows = [...(await rawRows(datastore, `${namespace}/b/`))].sort(([a], [b]) => (a < b ? -1 : 1))
  return rows.map(([row, value], index) => {
    expect(Number.parseInt(row.slice(-14), 16), 'sequence numbers have no holes').toBe(index + 1)
    return decodeLog(row, value).bytes as Uint8Array
  })
}

/** Everything that a reader sees, as text, since values of tests are. */
export async function contentOf(store: CrdtDatastore): Promise<Record<string, string>> {
  const content: Record<string, string> = {}
  for await (const { key, value } of store.query({}))
    content[key.toString()] = new TextDecoder().decode(value)
  return content
}

export async function checkStore(
  store: CrdtDatastore,
  datastore: Datastore,
  namespace = '/crdt'
): Promise<void> {
  const expected = oracle(await loggedBlocks(datastore, namespace))
  const state = Object.fromEntries(
    Array.from(expected.state, ([key, value]) => [key, new TextDecoder().decode(value)])
  )
  expect(await contentOf(store)).toEqual(state)
  const heads = new Map<string, string[]>()
  for (const { dagName, cid } of await store.heads()) {
    heads.set(dagName, [...(heads.get(dagName) ?? []), cid.toString()].sort())
  }
  expect(heads, 'heads are true tips').toEqual(expected.heads)
  expect(await store.digest(), 'the digest is that of the alive elements').toBe(digestOf(expected))
  const elements = [...expected.alive.values()].flat().length
  const { nodes, keys, tombstones, ...stats } = await store.stats()
  expect({ nodes, keys, elements: stats.elements }).toEqual({
    nodes: expected.nodes,
    keys: expected.state.size,
    elements
  })
  expect(await rowKinds(datastore, namespace)).toEqual(
    withoutZeros({
      ...{ m: 1, s: expected.nodes === 0 ? 0 : 1, k: keys, e: elements - keys, t: tombstones },
      // Few heads are in the state row.
      ...{
        a: nodes,
        b: nodes,
        h: stats.heads > 16 ? stats.heads : 0,
        g: stats.gaps,
        d: stats.deferred,
        p: stats.pending
      }
    })
  )
}

/** The sum of the hashes of digest and key over all alive elements, by other means than the store's. */
function digestOf({ alive }: OracleState): string {
  let sum = 0n
  for (const [key, versions] of alive) {
    for (const { id } of versions) {
      const digest = base32upper.baseDecode(id.slice(1)).subarray(2)
      sum += BigInt(`0x${createHash('sha256').update(digest).update(key).digest('hex')}`)
    }
  }
  return (sum % 2n ** 256n).toString(16).padStart(64, '0')
}

function withoutZeros(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
}

/**
 * A replica shows exactly what the oracle makes of its blocks: keys and values, all alive versions, heads, counts, and
 * the history of every key.
 */
import { createHash, type Hash } from 'node:crypto'
import { Key } from 'interface-datastore'
import type { CrdtDatastore } from '../../datastore.ts'
import { cidOfId, decodeNode } from '../oracle/block.ts'
import { canonicalKey, type OracleState, oracle } from '../oracle/oracle.ts'
import type { SimulatedReplica } from '../simulated-replica.ts'
import { ensure } from './check-error.ts'
import { type DagNode, dagOf } from './replica-dag.ts'

const CHECK = 'a replica equals the oracle'
/** Keys whose history is compared; each costs a walk over the log. */
const HISTORIES = 4

/** @throws CheckError */
export async function checkEqualsOracle(replica: SimulatedReplica): Promise<void> {
  const { name, store } = replica
  const nodes = await dagOf(replica)
  const expected = oracle(nodes.map(({ bytes }) => bytes))
  compare(name, 'keys and values', await stateOf(store), printState(expected))
  compare(name, 'heads', await headsOf(store), [...expected.heads].map(print).sort())
  const { keys, elements, deferred, nodes: count } = await store.stats()
  const versions = [...expected.alive.values()].reduce((sum, alive) => sum + alive.length, 0)
  compare(name, 'counts', [keys, elements, deferred], [expected.state.size, versions, expected.deferred])
  ensure(count >= expected.nodes, CHECK, () => `${name} has ${expected.nodes} nodes and counts ${count}`)
  compare(name, 'digest', await store.digest(), digestOf(expected, nodes))
  for (const [key, alive] of expected.alive) {
    const shown: string[] = []
    for await (const version of store.getAll(new Key(key))) shown.push(`${version.cid} ${version.priority}`)
    const wanted = alive.map(({ id, priority }) => `${cidOfId(id)} ${priority}`)
    compare(name, `versions of ${key}`, shown, wanted)
  }
  for (const key of [...expected.tombstones.keys(), ...expected.state.keys()].slice(0, HISTORIES)) {
    compare(name, `history of ${key}`, await historyOf(store, key), expectedHistory(key, nodes, expected))
  }
}

async function stateOf(store: CrdtDatastore): Promise<string[]> {
  const rows: string[] = []
  for await (const { key, value } of store.query({})) rows.push(`${key} ${hex(value)}`)
  return rows.sort()
}

function printState({ state }: OracleState): string[] {
  return [...state].map(([key, value]) => `${key} ${hex(value)}`).sort()
}

async function headsOf(store: CrdtDatastore): Promise<string[]> {
  const heads = new Map<string, string[]>()
  for (const { cid, dagName } of await store.heads()) {
    heads.set(dagName, [...(heads.get(dagName) ?? []), cid.toString()].sort())
  }
  return [...heads].map(print).sort()
}

/** Newest first, as the store gives it. */
async function historyOf(store: CrdtDatastore, key: string): Promise<string[]> {
  const entries: string[] = []
  for await (const { cid, value, alive, removed } of store.history(new Key(key))) {
    entries.push(entry(`${cid}`, value, alive, removed.map(String)))
  }
  return entries
}

/** The same from the blocks: every node that gave the key a value or removed one that a block of this DAG gave it. */
function expectedHistory(key: string, nodes: readonly DagNode[], { alive }: OracleState): string[] {
  const entries: string[] = []
  for (const { cid, bytes } of [...nodes].reverse()) {
    const { id, delta } = decodeNode(bytes)
    const value = delta?.elements.findLast((element) => canonicalKey(element.key) === key)?.value
    const removed = (delta?.tombstones ?? []).filter((tombstone) => canonicalKey(tombstone.key) === key)
    if (value === undefined && removed.length === 0) continue
    const isAlive = alive.get(key)?.some((version) => version.id === id) ?? false
    const cids = new Set(removed.map((tombstone) => cidOfId(tombstone.id)))
    entries.push(entry(cid, value, isAlive, [...cids]))
  }
  return entries
}

function entry(
  cid: string,
  value: Uint8Array | undefined,
  alive: boolean,
  removed: readonly string[]
): string {
  return `${cid} ${value === undefined ? '-' : hex(value)} ${alive ? 'alive' : 'dead'} ${[...removed].sort()}`
}

/** The sum, modulo 2^256, of a hash of every alive element; worked out plainly from docs/sync-protocol.md. */
function digestOf({ alive }: OracleState, nodes: readonly DagNode[]): string {
  const blocks = new Map(nodes.map(({ bytes }) => [decodeNode(bytes).id, bytes]))
  let sum = 0n
  for (const [key, versions] of alive) {
    for (const { id } of versions) {
      const digest = sha256()
        .update(blocks.get(id) ?? new Uint8Array())
        .digest()
      sum += BigInt(`0x${sha256().update(digest).update(key).digest('hex')}`)
    }
  }
  return (sum % 2n ** 256n).toString(16).padStart(64, '0')
}

function sha256(): Hash {
  return createHash('sha256')
}

function compare(replica: string, what: string, shown: unknown, expected: unknown): void {
  const [is, should] = [JSON.stringify(shown), JSON.stringify(expected)]
  ensure(is === should, CHECK, () => `${what} of ${replica}\n  shown:    ${is}\n  expected: ${should}`)
}

function print([name, values]: [string, string[]]): string {
  return `${name}: ${values.join(' ')}`
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

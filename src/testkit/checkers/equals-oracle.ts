/**
 * A replica shows exactly what the oracle makes of its blocks: keys and values, all alive versions, heads, counts, and
 * the history of every key.
 */
import { createHash, type Hash } from 'node:crypto'
import { Key } from 'interface-datastore'
import type { CrdtDatastore } from '../../datastore.ts'
import { cidOfId, type Node } from '../oracle/block.ts'
import { canonicalKey, type OracleState, tombstoneId } from '../oracle/oracle.ts'
import type { SimulatedReplica } from '../simulated-replica.ts'
import { ensure } from './check-error.ts'
import { KnownBlocks, type ReadNode } from './known-blocks.ts'
import { dagOf } from './replica-dag.ts'

const CHECK = 'a replica equals the oracle'
/** Keys whose history is compared; each costs a walk over the log. */
const HISTORIES = 4

/**
 * Compares what a store shows with what its blocks mean, worked out anew by an independent implementation. It reads the
 * whole store, which must be idle meanwhile.
 *
 * @param replica - a replica of a world, or any store under a name for the message.
 * @param nodes - its DAG, if it was read already.
 * @param blocks - what was decoded for other replicas of its world.
 * @throws CheckError telling what it shows and what it should.
 */
export async function checkEqualsOracle(
  replica: Pick<SimulatedReplica, 'name' | 'store'>,
  nodes?: readonly ReadNode[],
  blocks: KnownBlocks = new KnownBlocks()
): Promise<void> {
  const { name, store } = replica
  const read = nodes ?? blocks.read(await dagOf(replica))
  for (const node of read) compare(name, 'the name of a block', node.cid, node.read.cid)
  const expected = blocks.meaning(read)
  compare(name, 'keys and values', await stateOf(store), printState(expected))
  compare(name, 'heads', await headsOf(store), [...expected.heads].map(print).sort())
  const { keys, elements, deferred, nodes: count } = await store.stats()
  const versions = [...expected.alive.values()].reduce((sum, alive) => sum + alive.length, 0)
  compare(name, 'counts', [keys, elements, deferred], [expected.state.size, versions, expected.deferred])
  ensure(count >= expected.nodes, CHECK, () => `${name} has ${expected.nodes} nodes and counts ${count}`)
  compare(name, 'digest', await store.digest(), digestOf(expected, read))
  for (const [key, alive] of expected.alive) {
    const shown: string[] = []
    for await (const version of store.getAll(new Key(key))) shown.push(`${version.cid} ${version.priority}`)
    const wanted = alive.map(({ id, priority }) => `${cidOfId(id)} ${priority}`)
    compare(name, `versions of ${key}`, shown, wanted)
  }
  for (const key of [...expected.tombstones.keys(), ...expected.state.keys()].slice(0, HISTORIES)) {
    compare(name, `history of ${key}`, await historyOf(store, key), expectedHistory(key, read, expected))
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
function expectedHistory(key: string, nodes: readonly ReadNode[], { alive }: OracleState): string[] {
  const entries: string[] = []
  for (const { cid, read } of [...nodes].reverse()) {
    const { value, removed } = effectsOf(read).get(key) ?? { removed: [] }
    if (value === undefined && removed.length === 0) continue
    const isAlive = alive.get(key)?.some((version) => version.id === read.id) ?? false
    entries.push(entry(cid, value, isAlive, removed))
  }
  return entries
}

/** What one node does to one key. */
interface Effect {
  value?: Uint8Array
  /** CIDs of the nodes whose element it removes. */
  removed: string[]
}

/** Found once for each node, however many replicas and keys are looked at. */
const EFFECTS = new WeakMap<Node, Map<string, Effect>>()

function effectsOf(node: Node): Map<string, Effect> {
  const known = EFFECTS.get(node)
  if (known !== undefined) return known
  const effects = new Map<string, Effect>()
  const effectOn = (key: string): Effect => {
    const effect = effects.get(key) ?? { removed: [] }
    effects.set(key, effect)
    return effect
  }
  const { elements = [], tombstones = [] } = node.delta ?? {}
  for (const { key: sent, value } of elements) {
    const key = canonicalKey(sent)
    // The last one of a key counts.
    if (key !== undefined) effectOn(key).value = value
  }
  for (const { key: sent, id: sentId } of tombstones) {
    const key = canonicalKey(sent)
    const id = tombstoneId(sentId)
    if (key === undefined || id === undefined) continue
    const { removed } = effectOn(key)
    const cid = cidOfId(id)
    if (!removed.includes(cid)) removed.push(cid)
  }
  EFFECTS.set(node, effects)
  return effects
}

function entry(
  cid: string,
  value: Uint8Array | undefined,
  alive: boolean,
  removed: readonly string[]
): string {
  return `${cid} ${value === undefined ? '-' : hex(value)} ${alive ? 'alive' : 'dead'} ${[...removed].sort()}`
}

/** Worked out once for what a set of blocks means. */
const DIGESTS = new WeakMap<OracleState, string>()

/** The sum, modulo 2^256, of a hash of every alive element; worked out plainly from docs/sync-protocol.md. */
function digestOf(state: OracleState, nodes: readonly ReadNode[]): string {
  const known = DIGESTS.get(state)
  if (known !== undefined) return known
  const blocks = new Map(nodes.map(({ bytes, read }) => [read.id, bytes]))
  let sum = 0n
  for (const [key, versions] of state.alive) {
    for (const { id } of versions) {
      const digest = sha256()
        .update(blocks.get(id) ?? new Uint8Array())
        .digest()
      sum += BigInt(`0x${sha256().update(digest).update(key).digest('hex')}`)
    }
  }
  const digest = (sum % 2n ** 256n).toString(16).padStart(64, '0')
  DIGESTS.set(state, digest)
  return digest
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

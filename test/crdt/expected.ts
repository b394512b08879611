// What a replica that merged a set of blocks must hold, worked out by the oracle, which shares no code with src.
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { decodeNode } from '../../src/codec/node.ts'
import { blockId, oracle } from '../../src/testkit/oracle/oracle.ts'
import { type DraftReplica, hexOf, type Shown } from './draft-replica.ts'

const digestOf = (block: Uint8Array): Buffer => createHash('sha256').update(block).digest()

/** The sum, modulo 2^256, of the hashes of the alive elements, as the sync protocol defines it. */
function stateDigest(elements: Iterable<{ key: string; digest: Buffer }>): string {
  let sum = 0n
  for (const { key, digest } of elements) {
    const hash = createHash('sha256').update(digest).update(key, 'utf8').digest('hex')
    sum = (sum + BigInt(`0x${hash}`)) % 2n ** 256n
  }
  return sum.toString(16).padStart(64, '0')
}

/** All that these blocks determine. */
export function expectedOf(blocks: readonly Uint8Array[]): Shown {
  const { state, alive, heads, nodes, deferred } = oracle(blocks)
  const digests = new Map(blocks.map((block) => [blockId(block), digestOf(block)]))
  const elements = [...alive].flatMap(([key, versions]) =>
    versions.map(({ id, priority }) => ({ key, id, priority, digest: digests.get(id)! }))
  )
  const gaps = new Set<string>()
  let clock = 0n
  for (const block of blocks) {
    const id = blockId(block)
    const { links, delta } = decodeNode(id, block)
    if (delta.priority > clock) clock = delta.priority
    for (const link of links) if (!digests.has(link)) gaps.add(`${id} ${link}`)
  }
  return {
    state: Object.fromEntries([...state].map(([key, value]) => [key, hexOf(value)])),
    winners: Object.fromEntries([...alive].map(([key, [winner]]) => [key, winner!.id])),
    alive: elements.map(({ key, priority, id }) => `${key} ${priority} ${id}`).sort(),
    heads: Object.fromEntries(heads),
    digest: stateDigest(elements),
    ...{ keys: state.size, elements: elements.length, nodes, gaps: [...gaps].sort(), deferred, clock }
  }
}

/** Compares all that a replica holds with what its blocks determine. */
export async function expectEqual(replica: DraftReplica, expected: Shown): Promise<void> {
  expect(await replica.shown()).toEqual(expected)
  expect(replica.state.committed.gaps).toBe(expected.gaps.length)
}

/** Which tombstones a set of blocks makes necessary. */
export interface ExpectedTombstones {
  needed: string[]
  /** Whether a block ran and does not have this key, so that a tombstone that says so is of no consequence. */
  isElsewhere(key: string, id: string): boolean
}

/**
 * A tombstone has to be remembered while its block has not run, and for ever where that is of another DAG; then those
 * of its own DAG with it, or a purge of the other DAG would bring the element back.
 */
export function expectedTombstonesOf(blocks: readonly Uint8Array[]): ExpectedTombstones {
  const nodes = new Map(
    blocks.map((block) => {
      const id = blockId(block)
      return [id, decodeNode(id, block).delta]
    })
  )
  const ran = (id: string): boolean => nodes.get(id)?.requires.length === 0
  const isElsewhere = (key: string, id: string): boolean =>
    ran(id) && !nodes.get(id)!.elements.some((element) => element.key === key)
  const written = new Map<string, { key: string; id: string; dagNames: Set<string> }>()
  for (const [node, { tombstones, dagName }] of nodes) {
    if (!ran(node)) continue
    for (const { key, id } of tombstones) {
      const pair = written.get(`${key} ${id}`) ?? { key, id, dagNames: new Set() }
      written.set(`${key} ${id}`, { ...pair, dagNames: pair.dagNames.add(dagName) })
    }
  }
  const needed: string[] = []
  for (const { key, id, dagNames } of written.values()) {
    if (isElsewhere(key, id)) continue
    const isIdle = ran(id) && [...dagNames].every((dagName) => dagName === nodes.get(id)!.dagName)
    if (!isIdle) needed.push(...[...dagNames].map((dagName) => `${key} ${id} ${dagName}`))
  }
  return { needed: needed.sort(), isElsewhere }
}

/** Compares the tombstones that a replica remembers with those that its blocks make necessary. */
export async function expectTombstones(replica: DraftReplica, expected: ExpectedTombstones): Promise<void> {
  const kept = await replica.tombstones()
  const found = kept
    .filter(({ key, id }) => !expected.isElsewhere(key, id))
    .flatMap(({ key, id, dagNames }) => dagNames.map((dagName) => `${key} ${id} ${dagName}`))
  expect(found.sort()).toEqual(expected.needed)
  expect(replica.state.committed.tombstones).toBe(kept.length)
}

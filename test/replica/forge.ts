// Blocks as a test wants them, and what every replica must show: held against the oracle.
import { expect } from 'vitest'
import { elementHash } from '../../src/codec/element-hash.ts'
import { encodeNode } from '../../src/codec/node.ts'
import type { Delta } from '../../src/crdt/delta.ts'
import { addHash, emptyDigest } from '../../src/crdt/digest.ts'
import { blockCid, blockId, oracle } from '../../src/testkit/oracle/oracle.ts'
import { type Peer, text, utf8 } from './world.ts'

export interface Forged {
  id: string
  cid: string
  bytes: Uint8Array
}

export interface ForgeInit {
  puts?: Record<string, string>
  tombstones?: Array<{ key: string; id: string }>
  links?: ReadonlyArray<{ id: string }>
  priority?: bigint
  dagName?: string
  requires?: number[]
}

/** A node made by hand. */
export function forge(init: ForgeInit): Forged {
  const { puts = {}, tombstones = [], links = [], priority = 1n, dagName = '', requires = [] } = init
  const elements = Object.entries(puts).map(([key, value]) => ({ key, value: utf8(value) }))
  const delta: Delta = { elements, tombstones, priority, dagName, requires }
  return forgeBytes(
    encodeNode(
      delta,
      links.map(({ id }) => id)
    )
  )
}

/** Whatever bytes, as a block. */
export function forgeBytes(bytes: Uint8Array): Forged {
  return { id: blockId(bytes), cid: blockCid(bytes), bytes }
}

/** A linear history, oldest first. */
export function forgeChain(
  length: number,
  init: { name?: string; below?: Forged; padding?: number } = {}
): Forged[] {
  const { name = 'chain', below, padding = 0 } = init
  const chain: Forged[] = []
  for (let i = 0; i < length; i++) {
    const parent = chain.at(-1) ?? below
    const puts = { [`/${name}/${i}`]: `${i}${'.'.repeat(padding)}` }
    chain.push(forge({ puts, links: parent === undefined ? [] : [parent], priority: BigInt(i + 1) }))
  }
  return chain
}

/** A block that is not anywhere. */
export function forgeMissing(name: string): Forged {
  return forge({ puts: { '/missing': name } })
}

/**
 * Fails unless a replica shows exactly what the oracle makes of its blocks.
 *
 * @param purged - how many nodes it had and dropped.
 */
export async function expectLikeOracle(peer: Peer, purged = 0): Promise<void> {
  const expected = oracle(await peer.blocks())
  const state = new Map<string, string>()
  for await (const { key, value } of peer.store.query({})) state.set(key.toString(), text(value))
  expect([...state].sort()).toEqual([...expected.state].map(([key, value]) => [key, text(value)]).sort())
  const heads = new Map<string, string[]>()
  for (const { cid, dagName } of await peer.store.heads()) {
    heads.set(dagName, [...(heads.get(dagName) ?? []), cid.toString()])
  }
  expect(new Map([...heads].map(([dagName, cids]) => [dagName, cids.sort()]))).toEqual(expected.heads)
  const { keys, elements, nodes, deferred } = await peer.store.stats()
  const versions = [...expected.alive.values()].reduce((sum, alive) => sum + alive.length, 0)
  expect({ keys, elements, nodes, deferred }).toEqual({
    ...{ keys: expected.state.size, elements: versions },
    ...{ nodes: expected.nodes + purged, deferred: expected.deferred }
  })
  const digest = emptyDigest()
  for (const [key, alive] of expected.alive) {
    for (const { id } of alive) addHash(digest, await elementHash(key, id))
  }
  expect(await peer.store.digest()).toBe(Buffer.from(digest).toString('hex'))
}

/** Whether replicas have the same nodes and nothing under way. */
export async function areLevel(peers: readonly Peer[]): Promise<boolean> {
  const [first] = peers
  const heads = JSON.stringify((await first?.headIds())?.sort())
  for (const peer of peers) {
    const { pending, gaps } = await peer.store.stats()
    if (pending > 0 || gaps > 0 || JSON.stringify((await peer.headIds()).sort()) !== heads) return false
  }
  return true
}

/** Fails unless replicas have the same nodes, and each what the oracle makes of them. */
export async function expectConverged(peers: readonly Peer[]): Promise<void> {
  const [first] = peers
  for (const peer of peers) {
    expect(await peer.store.digest()).toBe(await first?.store.digest())
    expect((await peer.headIds()).sort()).toEqual((await first?.headIds())?.sort())
    expect(await peer.nodes()).toBe(await first?.nodes())
    await expectLikeOracle(peer)
  }
}

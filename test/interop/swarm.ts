/**
 * A swarm of Go and TypeScript peers on one topic, and what makes it level.
 *
 * Invariants: level means that all have the same blocks and tips, every TypeScript peer shows exactly what the oracle
 * makes of its blocks, and so does every Go peer but for what a named defect explains; nothing that was started outlives
 * `end`.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { expect } from 'vitest'
import { checkEqualsOracle } from '../../src/testkit/checkers/equals-oracle.ts'
import { blockCid, oracle } from '../../src/testkit/oracle/oracle.ts'
import { type Difference, differencesOf } from './attribution.ts'
import { fromBase64, GoPeer, type GoPeerInit } from './go-peer.ts'
import { startTsPeer, type TsPeer, type TsPeerInit } from './ts-peer.ts'

/** How often what is waited for is looked at. */
const POLL_MS = 10
/** How long peers may take to become level. */
const LEVEL_MS = 15_000
/** How often peers say their heads again, give or take 30%. */
export const REBROADCAST_MS = 200

export type Peer = GoPeer | TsPeer

export interface Level {
  /** What Go peers show otherwise than they should, each explained by a defect. */
  differences: Array<Difference & { peer: string }>
  /** Heads of Go peers that are below other heads. */
  needlessHeads: number
  blocks: Uint8Array[]
}

/** Waits for a condition, which must come in time. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = LEVEL_MS
): Promise<void> {
  const startedAt = performance.now()
  while (!(await condition())) {
    if (performance.now() - startedAt > withinMs) throw new Error(`${what}: not in ${withinMs} ms`)
    await wait(POLL_MS)
  }
}

let swarms = 0

export class Swarm {
  readonly topic = `interop-${process.pid}-${swarms++}`
  readonly #program: string
  readonly #peers = new Map<string, Peer>()
  /** Names of Go peers that were killed, which may have left something half done. */
  readonly #killed = new Set<string>()

  /** @param program - of the Go peers. */
  constructor(program: string) {
    this.#program = program
  }

  get goPeers(): GoPeer[] {
    return [...this.#peers.values()].filter((peer) => peer instanceof GoPeer)
  }

  get tsPeers(): TsPeer[] {
    return [...this.#peers.values()].filter((peer): peer is TsPeer => !(peer instanceof GoPeer))
  }

  async go(name: string, init: Partial<GoPeerInit> = {}): Promise<GoPeer> {
    const flags = { rebroadcast: `${REBROADCAST_MS}ms`, repair: '1s', ...init.flags }
    const peer = await GoPeer.start({ program: this.#program, topic: this.topic, ...init, name, flags })
    this.#peers.set(name, peer)
    return peer
  }

  async ts(name: string, init: Partial<TsPeerInit> = {}): Promise<TsPeer> {
    const peer = await startTsPeer({
      ...{ topic: this.topic, rebroadcastIntervalMs: REBROADCAST_MS, coalesce: false },
      ...init,
      name
    })
    this.#peers.set(name, peer)
    return peer
  }

  /** Connects each of the first with each of the others, and waits until both know that they share the topic. */
  async connect(from: Peer | Peer[], ...to: Peer[]): Promise<void> {
    for (const one of [from].flat()) {
      for (const other of to) {
        await other.connect(one.address)
        await Promise.all([this.#knows(one, other), this.#knows(other, one)])
      }
    }
  }

  /** Everybody with everybody. */
  async connectAll(): Promise<void> {
    const peers = [...this.#peers.values()]
    for (const [index, peer] of peers.entries()) await this.connect(peer, ...peers.slice(index + 1))
  }

  /** Parts each of the first from each of the others, and waits until both have noticed. */
  async disconnect(from: Peer | Peer[], ...to: Peer[]): Promise<void> {
    for (const one of [from].flat()) {
      for (const other of to) {
        const [closing, closed] = one instanceof GoPeer ? [one, other] : [other, one]
        await closing.disconnect(closed.id)
        await this.#lost(closing, closed)
        await this.#lost(closed, closing)
      }
    }
  }

  /** SIGKILL, of a peer that will be started again. */
  async kill(peer: GoPeer): Promise<void> {
    await peer.kill()
    this.#killed.add(peer.name)
    this.forget(peer)
  }

  /** A peer that ended. */
  forget(peer: Peer): void {
    this.#peers.delete(peer.name)
  }

  /** Waits until all are level. @returns what Go shows otherwise; the test says whether it may. */
  async level(withinMs = LEVEL_MS): Promise<Level> {
    let why = ''
    try {
      const isLevel = async (): Promise<boolean> => {
        why = await this.#unlevel()
        return why === ''
      }
      await eventually('level', isLevel, withinMs)
    } catch {
      const logs = this.goPeers.map(({ name, log }) => `${name}: ${log.slice(-5).join('\n')}`)
      throw new Error(`The swarm is not level after ${withinMs} ms: ${why}\n${logs.join('\n')}`)
    }
    return await this.#checked()
  }

  /** Level, and every Go peer shows what it should. */
  async levelExactly(withinMs?: number): Promise<Level> {
    const level = await this.level(withinMs)
    expect(level.differences).toEqual([])
    return level
  }

  /** Ends all peers in order. */
  async end(): Promise<void> {
    const peers = [...this.#peers.values()]
    this.#peers.clear()
    await Promise.all(peers.map((peer) => peer.close()))
  }

  async #knows(one: Peer, other: Peer): Promise<void> {
    if (one instanceof GoPeer) {
      await one.until({ topic: [other.id] })
      return
    }
    const { pubsub } = one.libp2p.services
    await eventually(`${one.name} knows ${other.name}`, () =>
      pubsub.getSubscribers(this.topic).some((peer) => peer.toString() === other.id)
    )
  }

  async #lost(one: Peer, other: Peer): Promise<void> {
    await eventually(`${one.name} lost ${other.name}`, async () => {
      const connected = await one.connected()
      return !connected.includes(other.id)
    })
  }

  /** Why the swarm is not level, or nothing. Cheap questions come first. */
  async #unlevel(): Promise<string> {
    let heads: string[] | undefined
    for (const { name, store } of this.tsPeers) {
      const { pending, wanted, gaps } = await store.stats()
      if (pending + wanted + gaps > 0) return `${name}: ${pending} pending, ${wanted} wanted, ${gaps} gaps`
      const own = (await store.heads()).map(({ cid }) => cid.toString()).sort()
      heads ??= own
      if (own.join() !== heads.join()) return `${name} has other heads`
    }
    let blocks: string[] | undefined
    for (const peer of this.goPeers) {
      const dag = await peer.dag()
      if (dag.missing.length > 0) return `${peer.name} lacks ${dag.missing}`
      if (dag.unprocessed.length > 0) return `${peer.name} has not merged ${dag.unprocessed}`
      const own = dag.blocks.map(blockCid).sort()
      blocks ??= own
      if (own.join() !== blocks.join())
        return `${peer.name} has ${own.length} blocks, and others ${blocks.length}`
      const tips = [...oracle(dag.blocks).heads.values()].flat().sort()
      heads ??= tips
      if (tips.join() !== heads.join()) return `${peer.name} has other tips: ${tips}; and TypeScript ${heads}`
    }
    return ''
  }

  async #checked(): Promise<Level> {
    const level: Level = { differences: [], needlessHeads: 0, blocks: [] }
    const cids = new Set<string>()
    for (const peer of this.goPeers) {
      const { blocks } = await peer.dag()
      const heads = await peer.heads()
      level.blocks = blocks
      level.needlessHeads += heads.length - [...oracle(blocks).heads.values()].flat().length
      const stored = this.#killed.has(peer.name) ? (await peer.call('blocks', {})).map(fromBase64) : blocks
      for (const difference of differencesOf(await peer.state(), blocks, stored)) {
        if (difference.defect === undefined) {
          throw new Error(`${peer.name} differs, and no defect explains it: ${JSON.stringify(difference)}`)
        }
        level.differences.push({ ...difference, peer: peer.name })
      }
    }
    for (const block of level.blocks) cids.add(blockCid(block))
    for (const peer of this.tsPeers) {
      const own: string[] = []
      for await (const { cid } of peer.store.dag.traverse()) own.push(cid.toString())
      if (this.goPeers.length > 0) expect(own.sort(), peer.name).toEqual([...cids].sort())
      await checkEqualsOracle(peer)
    }
    return level
  }
}

/**
 * A few peers in processes of their own and the proxies between them, for tests of bad networks.
 */
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect } from 'vitest'
import type { TcpProxy } from '../../src/testkit/tcp/tcp-proxy.ts'
import { temporaryFolder } from '../e2e/folders.ts'
import { proxied, proxyTo } from './addresses.ts'
import type { LabStats } from './lab-messages.ts'
import { LabProcess } from './lab-process.ts'
import { SEED } from './rounds.ts'

/** Asking costs a peer time that it needs for other things. */
const POLL_MS = 20

const proxies: TcpProxy[] = []

/** For `afterAll`. */
export async function closeProxies(): Promise<void> {
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()))
}

/** Waits for a condition, which must come in time. */
export async function eventually(
  what: string,
  withinMs: number,
  condition: () => boolean | Promise<boolean>
): Promise<number> {
  const startedAt = performance.now()
  while (!(await condition())) {
    if (performance.now() - startedAt > withinMs)
      throw new Error(`${what}: not in ${withinMs} ms, seed ${SEED}`)
    await wait(POLL_MS)
  }
  return Math.round(performance.now() - startedAt)
}

/** Peers with what they are to have. */
export class Swarm {
  readonly #peers = new Map<string, LabProcess>()
  readonly #keys: string[] = []
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async create(): Promise<Swarm> {
    return new Swarm(await temporaryFolder())
  }

  /** A peer that stays connected to some addresses. */
  async start(name: string, ...addresses: string[]): Promise<LabProcess> {
    const args = ['--no-coalesce', ...addresses.flatMap((address) => ['--peer', address])]
    const peer = await LabProcess.start(join(this.#folder, name), args)
    this.#peers.set(name, peer)
    return peer
  }

  /** A proxy to a peer, and the address of the peer behind it. */
  async proxyTo(peer: LabProcess): Promise<{ proxy: TcpProxy; address: string }> {
    const proxy = await proxyTo(peer.address, { seed: SEED })
    proxies.push(proxy)
    return { proxy, address: proxied(peer.address, proxy) }
  }

  /** A write of every peer, whatever the network is like. */
  async writeEverywhere(): Promise<void> {
    for (const [name, peer] of this.#peers) {
      const key = `/${name}/${this.#keys.length}`
      this.#keys.push(key)
      await peer.call('put', key, name)
    }
  }

  /** Waits until all peers have the same, and checks that nothing that was written is missing. @returns how long. */
  async converge(withinMs: number): Promise<number> {
    let stats: LabStats[] = []
    const tookMs = await eventually('all peers have the same', withinMs, async () => {
      stats = await Promise.all([...this.#peers.values()].map((peer) => peer.call('stats')))
      const [first] = stats
      return stats.every(({ nodes, digest }) => nodes === first!.nodes && digest === first!.digest)
    })
    expect(stats.map(({ gaps, pending }) => gaps + pending)).toEqual(stats.map(() => 0))
    for (const peer of this.#peers.values()) {
      const there = new Set((await peer.call('state')).map(([key]) => key))
      expect(this.#keys.filter((key) => !there.has(key))).toEqual([])
    }
    return tookMs
  }

  /** Nothing is wrong with any of them, and they end. */
  async end(): Promise<void> {
    for (const [name, peer] of this.#peers) expect((await peer.call('check')).problems, name).toEqual([])
    await Promise.all([...this.#peers.values()].map((peer) => peer.close()))
  }
}

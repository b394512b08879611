// Replicas that purge DAGs and take them up again at any moment, over a network that loses, doubles and parts: each
// shows at any time what its nodes make, and all show the same in the end.
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import { blockId } from '../../src/testkit/oracle/oracle.ts'
import { below } from './clock.ts'
import { expectLikeOracle } from './forge.ts'
import { type Peer, utf8, World } from './world.ts'

const NAMES = ['alice', 'bob', 'carol']
const DAGS = ['', 'red', 'blue']
const KEYS = ['/a', '/b', '/c', '/d']
const STEPS = 60

class Chaos {
  readonly world: World
  readonly peers: Peer[]
  readonly diverged: string[] = []
  /** What goes on beside the steps. */
  readonly #underWay: Promise<unknown>[] = []

  constructor(world: World, peers: Peer[]) {
    this.world = world
    this.peers = peers
    for (const peer of peers) this.#watch(peer)
  }

  #watch({ name, store }: Peer): void {
    store.addEventListener('divergence', () => void this.diverged.push(name))
  }

  #any<T>(items: readonly T[]): T {
    return items[below(this.world.random, items.length)] as T
  }

  async step(): Promise<void> {
    const { world, peers } = this
    const peer = this.#any(peers)
    const { store } = peer
    const dagName = this.#any(DAGS)
    const key = new Key(this.#any(KEYS))
    const dice = world.random()
    // A DAG that is purged takes no writes.
    const ignored = (error: Error): void => void expect(error.name).toMatch(/DagIgnoredError|ClosedError/)
    if (dice < 0.45) {
      // Some are too large to come with their announcement.
      const value = utf8(`${world.random()}`.repeat(world.random() < 0.3 ? 1000 : 1))
      this.#underWay.push(store.put(key, value, { dagName }).catch(ignored))
    } else if (dice < 0.6) this.#underWay.push(store.delete(key, { dagName }).catch(ignored))
    else if (dice < 0.7) this.#underWay.push(store.dag.purge(dagName).catch(ignored))
    else if (dice < 0.8) this.#underWay.push(store.dag.resume(dagName).catch(ignored))
    else if (dice < 0.85) await this.#restart(peers.indexOf(peer))
    else if (dice < 0.9) world.partition([this.#any(NAMES), this.#any(NAMES)])
    else if (dice < 0.95) world.heal()
    else await this.#check(peer)
    await world.clock.advance(below(world.random, 50))
  }

  async #restart(index: number): Promise<void> {
    const peer = await this.peers[index]!.restart()
    this.peers[index] = peer
    this.#watch(peer)
  }

  /** What it shows is what its nodes make. */
  async #check(peer: Peer): Promise<void> {
    await this.world.clock.during(Promise.all(this.#underWay.splice(0)))
    const report = await this.world.clock.during(peer.store.verify())
    expect(report).toMatchObject({ ok: true, complete: true, differences: [] })
    await expectLikeOracle(peer, (await peer.nodes()) - (await peer.blocks()).length)
  }

  /** Not the same as level: what everybody purged is a gap for ever below what came back. */
  async #haveTheSame(): Promise<boolean> {
    const nodes = new Set<string>()
    for (const peer of this.peers) {
      if ((await peer.store.stats()).pending > 0) return false
      nodes.add(JSON.stringify((await peer.blocks()).map(blockId).sort()))
    }
    return nodes.size === 1
  }

  async end(): Promise<void> {
    const { world, peers } = this
    world.heal()
    world.loss = 0
    await world.clock.during(Promise.all(this.#underWay.splice(0)))
    for (const { store } of peers) {
      for (const dagName of DAGS) await world.clock.during(store.dag.resume(dagName))
    }
    // What was missed is said again within a minute or two; what nobody has any more is waited for a while.
    await world.clock.until(() => this.#haveTheSame(), 20 * 60_000, 1000)
    const digests = new Set(await Promise.all(peers.map(async ({ store }) => await store.digest())))
    expect(digests.size).toBe(1)
    for (const peer of peers) {
      await this.#check(peer)
      expect([...peer.datastore.rows('/crdt/p'), ...peer.datastore.rows('/crdt/i')]).toEqual([])
      // A head whose nodes everybody purged is given up after a while.
      await world.clock.during(peer.store.waitForSync(), 10 * 60_000)
    }
    expect(this.diverged).toEqual([])
  }
}

describe.each([false, true])('with peers that only gossip: %j', (goLike) => {
  test.each(Array.from({ length: 8 }, (_, seed) => seed + 1))('seed %i', async (seed) => {
    const world = new World(seed, { loss: 0.1, duplication: 0.1, jitterMs: 30 })
    const chaos = new Chaos(world, await world.peers(NAMES, { goLike, commitNodesMax: 4 }))
    for (let i = 0; i < STEPS; i++) await chaos.step()
    await chaos.end()
    await world.close()
  })
})

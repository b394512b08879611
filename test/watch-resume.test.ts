// Watching what was: from a sequence number on, after a pause, and by a consumer that is too slow for what happens.
// Whoever applies the changes to a Map ends with what the store has, wherever they left and came back.
import { Key } from 'interface-datastore'
import { afterEach, describe, expect, test } from 'vitest'
import type { Change, CrdtDatastore } from '../src/index.ts'
import { below } from './replica/clock.ts'
import { type Peer, utf8, World } from './replica/world.ts'
import { FaultyDatastore } from './storage/faulty-datastore.ts'
import { DATASTORES, openStore } from './storage/open-store.ts'
import { RemotePeer, remoteNode } from './storage/remote-peer.ts'
import { contentOf } from './storage/store-check.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes)
const key = (name: string): Key => new Key(name)

async function put(store: CrdtDatastore, name: string, value: string): Promise<void> {
  await store.put(key(name), encode(value))
}

/** What a change says, in short: `1 /k = value`. */
function short({ key, value, sequence }: Change): string {
  return `${sequence} ${key} = ${text(value) ?? '-'}`
}

async function take(changes: AsyncGenerator<Change>, count: number): Promise<Change[]> {
  const taken: Change[] = []
  while (taken.length < count) {
    const { value, done } = await changes.next()
    if (done) expect.fail(`It ended after ${taken.length} of ${count} changes`)
    taken.push(value)
  }
  return taken
}

/** The changes up to the one with this key, which is the last. */
async function takeUntil(changes: AsyncGenerator<Change>, last: string): Promise<Change[]> {
  const taken: Change[] = []
  for (;;) {
    taken.push(...(await take(changes, 1)))
    if (taken.at(-1)?.key.toString() === last) return taken
  }
}

function apply(changes: readonly Change[], content: Record<string, string> = {}): Record<string, string> {
  for (const { key, value } of changes) {
    if (value === undefined) delete content[key.toString()]
    else content[key.toString()] = text(value) as string
  }
  return content
}

describe.each(DATASTORES)('since, over $name,', ({ open }) => {
  test('0 is the beginning: each key with the value it has, from the node that made it', async () => {
    const store = await openStore({ datastore: await open() })
    await put(store, '/a', '1')
    await put(store, '/b', '1')
    await put(store, '/a', '2')
    await put(store, '/gone', '1')
    await store.delete(key('/gone'))
    const changes = await take(store.watch({ since: 0 }), 4)
    expect(changes.map(short)).toEqual(['2 /b = 1', '3 /a = 2', '4 /gone = -', '5 /gone = -'])
    for (const change of changes) {
      expect(change).toMatchObject({ replayed: true, origin: 'local' })
      expect(change).not.toHaveProperty('previous')
    }
    expect(changes[2]).not.toHaveProperty('value')
    for await (const { cid } of store.history(key('/b'))) expect(`${changes[0]?.cid}`).toBe(`${cid}`)
  })

  test('a number resumes behind it, and goes on live with nothing left out', async () => {
    const store = await openStore({ datastore: await open() })
    for (let i = 1; i <= 5; i++) await put(store, `/${i}`, 'old')
    const changes = store.watch({ since: 3 })
    await put(store, '/6', 'new')
    expect((await take(changes, 3)).map(short)).toEqual(['4 /4 = old', '5 /5 = old', '6 /6 = new'])
    await put(store, '/6', 'newer')
    expect(await take(changes, 1)).toMatchObject([{ sequence: 7, previous: encode('new') }])
  })

  test('survives a restart', async () => {
    const datastore = await open()
    const first = await openStore({ datastore })
    for (let i = 1; i <= 3; i++) await put(first, `/${i}`, '1')
    await first.close()
    const second = await openStore({ datastore })
    expect((await take(second.watch({ since: 2 }), 1)).map(short)).toEqual(['3 /3 = 1'])
  })
})

describe('since', () => {
  test('the newest number is what comes next', async () => {
    const store = await openStore()
    await put(store, '/a', '1')
    const changes = store.watch({ since: 1 })
    await put(store, '/b', '1')
    const [change] = await take(changes, 1)
    expect(change).toMatchObject({ sequence: 2 })
    expect(change).not.toHaveProperty('replayed')
  })

  test('0 of an empty store is what comes next', async () => {
    const store = await openStore()
    const changes = store.watch({ since: 0 })
    await put(store, '/a', '1')
    expect((await take(changes, 1)).map(short)).toEqual(['1 /a = 1'])
  })

  test('a number that this store did not give is refused by name', async () => {
    const store = await openStore()
    await put(store, '/a', '1')
    for (const since of [2, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '1', null, 1n]) {
      expect(() => store.watch({ since: since as number }), String(since)).toThrow(
        expect.objectContaining({
          name: 'InvalidOptionError',
          option: 'since',
          message: expect.stringContaining('a whole number from 0 to 1, the newest here')
        })
      )
    }
  })

  test('keeps to the prefix and the origin that were asked for', async () => {
    const peer = new RemotePeer()
    const store = await openStore({ broadcaster: peer, topic: 'test' })
    await put(store, '/a/mine', '1')
    await put(store, '/b/mine', '1')
    const elements = ['/a/theirs', '/b/theirs'].map((name) => ({ key: name, value: encode('1') }))
    peer.say(await remoteNode({ priority: 1n, elements }))
    await store.waitForSync()
    await put(store, '/last', '1')
    const told = async (options: object, count: number): Promise<string[]> =>
      (await take(store.watch({ since: 0, ...options }), count)).map(({ key }) => key.toString())
    expect(await told({ prefix: '/a/' }, 2)).toEqual(['/a/mine', '/a/theirs'])
    expect(await told({ origin: 'local' }, 3)).toEqual(['/a/mine', '/b/mine', '/last'])
    expect(await told({ origin: 'remote' }, 2)).toEqual(['/a/theirs', '/b/theirs'])
    expect(await told({ origin: 'remote', prefix: '/b' }, 1)).toEqual(['/b/theirs'])
  })

  test('finds the nodes where a blockstore holds them', async () => {
    const blocks = new Map<string, Uint8Array>()
    const blockstore = {
      get: (cid: { toString(): string }) => blocks.get(cid.toString()) as Uint8Array,
      put: (cid: { toString(): string }, bytes: Uint8Array) => void blocks.set(cid.toString(), bytes)
    }
    const store = await openStore({ blockstore })
    await put(store, '/a', '1')
    expect((await take(store.watch({ since: 0 }), 1)).map(short)).toEqual(['1 /a = 1'])
  })

  test('the newest number is good from the start on, whatever is merged meanwhile', async () => {
    const node = await remoteNode({ priority: 1n, elements: [{ key: '/k', value: encode('1') }] })
    // The commit may end between any two steps of the start.
    for (let steps = 0; steps < 40; steps++) {
      const datastore = new FaultyDatastore({ atomic: true })
      const peer = new (class extends RemotePeer {
        override async start(receive: (message: Uint8Array, from: string) => void): Promise<void> {
          await super.start(receive)
          const written = datastore.nextWrite()
          this.say(node)
          await written
          for (let i = 0; i < steps; i++) await undefined
        }
      })()
      const store = await openStore({ datastore, atomicBatch: true, broadcaster: peer, topic: 'test' })
      const { nodes: newest } = await store.stats()
      expect(() => store.watch({ since: newest }), `after ${steps} steps`).not.toThrow()
      await store.close()
    }
  })

  test('the newest number is good in the middle of a commit, and what it named is not told again', async () => {
    for (let steps = 0; steps < 40; steps++) {
      const datastore = new FaultyDatastore({ atomic: true })
      const store = await openStore({ datastore, atomicBatch: true })
      const written = datastore.nextWrite()
      // A put that nothing else waits with is told in the very turn after it can be read.
      const writing = Promise.all([put(store, '/k', '1'), put(store, '/l', '1')])
      await written
      for (let i = 0; i < steps; i++) await undefined
      const { nodes: since } = await store.stats()
      const changes = store.watch({ since })
      await writing
      await put(store, '/last', '1')
      const taken = await takeUntil(changes, '/last')
      expect(
        taken.map(({ sequence }) => sequence),
        `after ${steps} steps`
      ).toEqual(since === 0 ? [1, 1, 2] : [2])
      await store.close()
    }
  })
})

describe('a consumer that is too slow', () => {
  const watchBufferBytesMax = 64 * 1024
  const LARGE = 'x'.repeat(10_000)

  test('misses values that were written over, and never how a key ended', async () => {
    const store = await openStore({ watchBufferBytesMax })
    await put(store, '/gone', 'before')
    const changes = store.watch()
    await store.delete(key('/gone'))
    for (let round = 0; round < 10; round++) {
      for (const name of ['/a', '/b']) await put(store, name, `${LARGE}${round}`)
    }
    await put(store, '/last', '1')
    const taken = await takeUntil(changes, '/last')
    expect(taken.map(({ key, sequence }) => `${sequence} ${key}`)).toEqual([
      '2 /gone',
      '21 /a',
      '22 /b',
      '23 /last'
    ])
    for (const change of taken) expect(change.replayed).toBe(true)
    expect(apply(taken, { '/gone': 'before' })).toEqual(await contentOf(store))
    await put(store, '/live', '1')
    const [live] = await take(changes, 1)
    expect(live).not.toHaveProperty('replayed')
  })

  test('is served from the buffer what fits into it, also after it was too slow', async () => {
    const store = await openStore({ watchBufferBytesMax })
    const changes = store.watch()
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 5; i++) await put(store, `/few/${round}/${i}`, LARGE)
      for (const change of await take(changes, 5)) expect(change).not.toHaveProperty('replayed')
      for (let i = 0; i < 8; i++) await put(store, `/many/${round}/${i}`, LARGE)
      for (const change of await take(changes, 8)) expect(change.replayed).toBe(true)
    }
  })

  test('of a few keys is not slowed down by what others are told', async () => {
    const store = await openStore({ watchBufferBytesMax })
    const few = store.watch({ prefix: '/few' })
    await put(store, '/few', '1')
    for (let i = 0; i < 20; i++) await put(store, `/many/${i}`, LARGE)
    await put(store, '/few', '2')
    const taken = await take(few, 2)
    expect(taken.map(({ value }) => text(value))).toEqual(['1', '2'])
    for (const change of taken) expect(change).not.toHaveProperty('replayed')
  })

  test('of one commit that is larger than the buffer is told all of it', async () => {
    const store = await openStore({ watchBufferBytesMax })
    const changes = store.watch()
    const batch = store.batch()
    for (let i = 0; i < 20; i++) batch.put(key(`/${i}`), encode(LARGE))
    await batch.commit()
    expect(apply(await take(changes, 20))).toEqual(await contentOf(store))
  })

  test('is told a value that came meanwhile once it is there, and again as it happened', async () => {
    const store = await openStore({ watchBufferBytesMax })
    await put(store, '/a', '1')
    await put(store, '/b', '1')
    const changes = store.watch({ since: 0 })
    await take(changes, 1)
    await store.delete(key('/b'))
    const [replayed, live] = await take(changes, 2)
    expect(short(replayed!)).toBe('2 /b = -')
    expect(short(live!)).toBe('3 /b = -')
    expect(live).toMatchObject({ previous: encode('1') })
  })
})

describe('random writes of two replicas, a consumer that pauses, lags, leaves and comes back', () => {
  let world: World

  afterEach(async () => {
    await world.close()
  })

  const KEYS = 6

  /** One write, large enough for the consumer to fall behind. */
  async function act({ store }: Peer): Promise<void> {
    const { random } = world
    const name = (): Key => new Key(`/${below(random, 2)}/${below(random, KEYS)}`)
    const value = utf8('x'.repeat(below(random, 12_000)) + below(random, 100))
    const dagName = random() < 0.2 ? 'named' : ''
    const kind = random()
    if (kind < 0.6) await store.put(name(), value, { dagName })
    else if (kind < 0.85) await store.delete(name(), { dagName })
    else {
      const batch = store.batch({ dagName })
      for (let i = 0; i < 3; i++) {
        if (random() < 0.7) batch.put(name(), value)
        else batch.delete(name())
      }
      await batch.commit()
    }
  }

  /** A reader that keeps a copy of the store. */
  class Reader {
    readonly copy: Record<string, string> = {}
    readonly #peer: Peer
    readonly #prefix: string
    #changes: AsyncGenerator<Change> | undefined
    #next: Promise<IteratorResult<Change>> | undefined
    #since = 0
    #sequence = 0
    replayed = 0
    live = 0

    constructor(peer: Peer, prefix: string) {
      this.#peer = peer
      this.#prefix = prefix
    }

    come(): void {
      if (this.#changes !== undefined) return
      this.#changes = this.#peer.store.watch({ since: this.#since, prefix: this.#prefix })
      this.#sequence = this.#since
    }

    async leave(): Promise<void> {
      await this.#changes?.return(undefined)
      this.#changes = undefined
      this.#next = undefined
    }

    /** Takes changes until there is none for now, or some. */
    async read(countMax = Number.POSITIVE_INFINITY): Promise<void> {
      for (let count = 0; count < countMax && this.#changes !== undefined; count++) {
        const next = this.#next ?? this.#changes.next()
        this.#next = undefined
        const idle = world.clock.settle().then(() => world.clock.settle())
        const result = await Promise.race([next, idle])
        if (result === undefined) {
          this.#next = next
          return
        }
        this.#take(result.value)
      }
    }

    #take(change: Change): void {
      const { sequence, replayed } = change
      if (sequence < this.#sequence) expect.fail(`${sequence} after ${this.#sequence}`)
      if (sequence <= this.#since) expect.fail(`${sequence} since ${this.#since}`)
      // Others of the same node may still come, so that it is not over yet.
      if (sequence > this.#sequence) this.#since = Math.max(this.#since, sequence - 1)
      this.#sequence = sequence
      if (replayed) this.replayed++
      else this.live++
      apply([change], this.copy)
    }
  }

  test('the consumer ends with what the store has', async () => {
    let replayed = 0
    let live = 0
    for (let seed = 1; seed <= 12; seed++) {
      // The seed of a failure is in the message of the error.
      try {
        world = new World(seed, { loss: 0.2, jitterMs: 100 })
        const limits = {
          rebroadcastIntervalMs: 2000,
          watchBufferBytesMax: 64 * 1024,
          coalesce: seed % 2 === 0
        }
        const alice = await world.peer('alice', { ...limits, deltaBytesMax: 16 * 1024 })
        const bob = await world.peer('bob', limits)
        const prefix = seed % 3 === 0 ? '/1' : ''
        const reader = new Reader(alice, prefix)
        reader.come()
        for (let i = 0; i < 60; i++) {
          const { random } = world
          await world.clock.during(act(random() < 0.5 ? alice : bob))
          if (random() < 0.3) await world.clock.advance(below(random, 200))
          // Sometimes a commit happens in the middle of what is read.
          const acting = random() < 0.3 ? act(alice) : undefined
          if (random() < 0.4) await reader.read(random() < 0.5 ? 1 + below(random, 5) : undefined)
          if (random() < 0.1) await reader.leave()
          if (random() < 0.3) reader.come()
          if (acting !== undefined) await world.clock.during(acting)
        }
        await world.clock.advance(10_000)
        reader.come()
        await reader.read()
        const content = Object.entries(await contentOf(alice.store)).filter(([name]) =>
          name.startsWith(prefix)
        )
        expect(reader.copy).toEqual(Object.fromEntries(content))
        await reader.leave()
        replayed += reader.replayed
        live += reader.live
        await world.close()
      } catch (error) {
        throw new Error(`Seed ${seed} fails`, { cause: error })
      }
    }
    // Or the test would show nothing.
    expect(Math.min(replayed, live)).toBeGreaterThan(100)
  }, 20_000)
})

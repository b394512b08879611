// The Fetcher against a scripted exchange: what is asked of whom, when, and how often.
import { afterEach, describe, expect, test } from 'vitest'
import { Fetcher } from '../../src/dag/fetch.ts'
import {
  type BlockExchange,
  defaultLimits,
  type FetchOptions,
  type LimitName,
  type PullRequest,
  type ReceivedBlock
} from '../../src/index.ts'
import { FakeClock, seededRandom } from '../replica/clock.ts'

/** One request that the fetcher made; the test answers it. */
class Request {
  readonly at: number
  readonly ids: readonly string[]
  readonly peers: readonly string[]
  readonly signal: AbortSignal
  /** It is really asked, after it waited for its turn. */
  readonly ask: () => void
  readonly ledBy: FetchOptions['ledBy']
  readonly #blocks: string[] = []
  #end: { error?: Error } | undefined
  #wake = Promise.withResolvers<void>()

  constructor(at: number, ids: readonly string[], { peers, signal, asked, ledBy }: FetchOptions) {
    this.at = at
    this.ids = ids
    this.peers = peers
    this.signal = signal
    this.ask = () => asked?.(peers[0] ?? 'somebody')
    this.ledBy = ledBy
    signal.addEventListener('abort', () => this.end(signal.reason))
  }

  /** Sends blocks: their bytes are their names. */
  send(...names: string[]): void {
    this.#blocks.push(...names)
    this.#wake.resolve()
  }

  end(error?: Error): void {
    this.#end ??= error === undefined ? {} : { error }
    this.#wake.resolve()
  }

  async *answer(): AsyncGenerator<ReceivedBlock> {
    for (;;) {
      for (let name = this.#blocks.shift(); name !== undefined; name = this.#blocks.shift()) {
        yield { bytes: new TextEncoder().encode(name), from: this.peers[0] ?? 'somebody' }
      }
      if (this.#end?.error !== undefined) throw this.#end.error
      if (this.#end !== undefined) return
      await this.#wake.promise
      this.#wake = Promise.withResolvers()
    }
  }
}

class Stage {
  readonly clock = new FakeClock()
  readonly requests: Request[] = []
  readonly pulls: Request[] = []
  readonly givenUp: Array<[string, boolean]> = []
  readonly failedPulls: string[] = []
  readonly delivered: string[] = []
  peers = ['alice', 'bob', 'carol']
  streaming = new Set(['alice', 'bob', 'carol'])
  /** Requests wait for their turn, until the test asks them. */
  queues = false
  /** While it is there, taking a block waits for it. */
  gate: PromiseWithResolvers<void> | undefined
  readonly fetcher: Fetcher

  constructor(limits: Partial<Record<LimitName, number>> = {}) {
    const exchange: BlockExchange = {
      start: async () => {},
      stop: async () => {},
      peers: () => this.peers,
      fetch: (ids, options) => this.#open(this.requests, ids, options),
      pull: ({ peer, want, signal }: PullRequest) => this.#open(this.pulls, want, { peers: [peer], signal }),
      canPull: (peer) => this.streaming.has(peer)
    }
    this.fetcher = new Fetcher({
      ...{ exchange, clock: this.clock, random: seededRandom(1), limits: { ...defaultLimits, ...limits } },
      deliver: async ({ bytes }) => {
        await this.gate?.promise
        const name = new TextDecoder().decode(bytes)
        const isNew = !this.delivered.includes(name)
        this.delivered.push(name)
        this.fetcher.drop(name)
        return isNew
      },
      giveUp: (id, root) => void this.givenUp.push([id, root]),
      onPullFailed: (peer) => void this.failedPulls.push(peer)
    })
    this.fetcher.start()
  }

  #open(list: Request[], ids: readonly string[], options: FetchOptions): AsyncGenerator<ReceivedBlock> {
    const request = new Request(this.clock.now(), ids, options)
    list.push(request)
    if (!this.queues) request.ask()
    return request.answer()
  }
}

let stage: Stage

afterEach(async () => {
  await stage.fetcher.stop()
  expect(stage.clock.timers).toBe(0)
})

function request(index: number): Request {
  return stage.requests[index] as Request
}

function pull(index: number): Request {
  return stage.pulls[index] as Request
}

describe('by id', () => {
  test('wants that are made together are asked for together, of those who said that they have them', async () => {
    stage = new Stage()
    stage.streaming.clear()
    stage.fetcher.want('a', { sources: ['alice'] })
    stage.fetcher.want('b', { sources: ['alice', 'bob'] })
    stage.fetcher.want('c', { sources: ['bob'] })
    stage.fetcher.want('a', { sources: ['carol'] })
    await stage.clock.settle()
    expect(stage.requests.map(({ ids, peers }) => [ids, peers])).toEqual([
      [
        ['a', 'b'],
        ['alice', 'carol', 'bob']
      ],
      [['c'], ['bob']]
    ])
    request(0).send('b', 'a')
    request(0).end()
    request(1).send('c')
    request(1).end()
    await stage.clock.settle()
    expect(stage.fetcher.size).toBe(0)
    expect(stage.clock.timers).toBe(0)
  })

  test('a block is asked for once at a time, however often it is wanted', async () => {
    stage = new Stage()
    stage.streaming.clear()
    for (let i = 0; i < 10; i++) {
      stage.fetcher.want('a', { sources: [`peer${i}`], root: i === 5 })
      await stage.clock.advance(10)
    }
    expect(stage.requests).toHaveLength(1)
    expect([...stage.fetcher.roots()]).toEqual(['a'])
    expect(stage.fetcher.drop('a')).toBe(true)
    expect(stage.fetcher.drop('a')).toBe(false)
  })

  test('what has arrived makes room for others, although the rest of the answer takes its time', async () => {
    stage = new Stage({ fetchConcurrency: 8 })
    stage.streaming.clear()
    for (const id of 'abcd') stage.fetcher.want(id, { sources: ['alice'] })
    for (const id of 'efghij') stage.fetcher.want(id, { sources: ['alice'] })
    await stage.clock.settle()
    expect(stage.requests.map(({ ids }) => ids)).toEqual([['a', 'b', 'c', 'd']])
    request(0).send('a', 'b', 'c')
    await stage.clock.settle()
    expect(stage.requests.slice(1).flatMap(({ ids }) => ids)).toEqual(['e', 'f', 'g'])
    for (const open of stage.requests.slice(1)) open.send(...open.ids)
    await stage.clock.settle()
    expect(stage.requests.slice(1).flatMap(({ ids }) => ids)).toEqual(['e', 'f', 'g', 'h', 'i', 'j'])
  })

  test('so many ids are asked for at most, however many peers led to them', async () => {
    stage = new Stage({ fetchConcurrency: 8 })
    stage.streaming.clear()
    for (const peer of ['alice', 'bob', 'carol']) {
      for (let i = 0; i < 4; i++) stage.fetcher.want(`${peer}${i}`, { sources: [peer] })
    }
    await stage.clock.settle()
    expect(stage.requests.flatMap(({ ids }) => ids)).toHaveLength(8)
    for (const open of [...stage.requests]) open.send(...open.ids)
    await stage.clock.settle()
    expect(stage.requests.flatMap(({ ids }) => ids)).toHaveLength(12)
  })

  test('no peer that led to what nobody has takes the turn of others', async () => {
    stage = new Stage({ fetchConcurrency: 8 })
    stage.streaming.clear()
    for (let i = 0; i < 100; i++) stage.fetcher.want(`fake${i}`, { sources: ['alice'] })
    await stage.clock.advance(100)
    stage.fetcher.want('b', { sources: ['bob'] })
    await stage.clock.settle()
    expect(stage.requests.at(-1)?.ids).toEqual(['b'])
  })

  test('a request that goes on without a block is ended, and another peer comes first', async () => {
    stage = new Stage({ fetchTimeoutMs: 1000 })
    stage.streaming.clear()
    stage.fetcher.want('a', { sources: ['alice'] })
    stage.fetcher.want('b', { sources: ['alice'] })
    await stage.clock.advance(900)
    request(0).send('b')
    await stage.clock.advance(900)
    expect(request(0).signal.aborted).toBe(false)
    await stage.clock.advance(200)
    expect(request(0).signal.aborted).toBe(true)
    await stage.clock.advance(1000)
    expect(stage.requests.map(({ ids, peers }) => [ids, peers[0]])).toEqual([
      [['a', 'b'], 'alice'],
      [['a'], 'bob']
    ])
  })

  test('time that taking a block needs is not the peer’s', async () => {
    stage = new Stage({ fetchTimeoutMs: 1000 })
    stage.streaming.clear()
    stage.fetcher.want('a', { sources: ['alice'] })
    stage.fetcher.want('b', { sources: ['alice'] })
    await stage.clock.settle()
    stage.gate = Promise.withResolvers()
    request(0).send('a')
    await stage.clock.advance(60_000)
    expect(request(0).signal.aborted).toBe(false)
    stage.gate.resolve()
    await stage.clock.settle()
    expect(stage.delivered).toEqual(['a'])
  })

  test('time that a request waits for its turn is not the peer’s, and fails no block', async () => {
    stage = new Stage({ fetchTimeoutMs: 1000, gapPatienceMs: 3000 })
    stage.streaming.clear()
    stage.queues = true
    stage.fetcher.want('a', { sources: ['alice'], root: true })
    await stage.clock.advance(900)
    request(0).ask()
    await stage.clock.advance(900)
    expect(request(0).signal.aborted).toBe(false)
    request(0).end()
    await stage.clock.until(() => stage.requests.length === 2, 10_000)
    // One that never comes to its turn makes room for others, but nobody has failed it.
    for (let i = 2; i < 10; i++) await stage.clock.until(() => stage.requests.length > i, 120_000)
    expect(stage.givenUp).toEqual([])
    expect(stage.requests.slice(1, 9).every(({ signal }) => signal.aborted)).toBe(true)
    stage.requests.at(-1)?.ask()
    await stage.clock.advance(1000)
    stage.queues = false
    await stage.clock.until(() => stage.givenUp.length > 0, 120_000)
  })

  test('what a peer led to while a request waits for its turn goes as one, and others do not wait', async () => {
    stage = new Stage()
    stage.streaming.clear()
    stage.queues = true
    for (let i = 0; i < 80; i++) {
      stage.fetcher.want(`a${i}`, { sources: ['alice'], root: true, byIdFirst: true })
      await stage.clock.advance(10)
    }
    stage.fetcher.want('b', { sources: ['bob'] })
    await stage.clock.settle()
    expect(stage.requests.map(({ ids }) => ids)).toEqual([['a0'], ['b']])
    request(0).ask()
    await stage.clock.settle()
    expect(stage.requests.map(({ ids }) => ids.length)).toEqual([1, 1, 31])
  })

  test('a peer that says that it has it ends the pause that others caused', async () => {
    stage = new Stage()
    stage.streaming.clear()
    stage.fetcher.want('a', { sources: ['alice'] })
    await stage.clock.settle()
    for (let i = 0; i < 5; i++) {
      stage.requests.at(-1)?.end()
      await stage.clock.until(() => stage.requests.length === i + 2, 60_000)
    }
    stage.requests.at(-1)?.end()
    await stage.clock.settle()
    const count = stage.requests.length
    stage.fetcher.want('a', { sources: ['alice'] })
    await stage.clock.settle()
    expect(stage.requests).toHaveLength(count)
    stage.fetcher.want('a', { sources: ['dave'] })
    await stage.clock.settle()
    expect(stage.requests).toHaveLength(count + 1)
    // So does one that comes, or comes back.
    stage.requests.at(-1)?.end()
    await stage.clock.settle()
    stage.fetcher.peerCame('alice')
    await stage.clock.settle()
    expect(stage.requests).toHaveLength(count + 1)
    stage.fetcher.peerLeft('alice')
    stage.fetcher.peerCame('alice')
    await stage.clock.settle()
    expect(stage.requests).toHaveLength(count + 2)
  })
})

test('a request tells which peer led to a block, to whom it is put down if nobody knows who sent it', async () => {
  stage = new Stage()
  stage.streaming.clear()
  stage.fetcher.want('a', { sources: ['alice', 'carol'] })
  stage.fetcher.want('b', { sources: ['bob'] })
  await stage.clock.settle()
  expect(stage.requests.map(({ ids, ledBy }) => [ids, ledBy])).toEqual([
    [['a'], 'alice'],
    [['b'], 'bob']
  ])
})

describe('giving up', () => {
  /** Ends every request at once without a block. */
  async function refuseAll(ms: number): Promise<void> {
    const end = stage.clock.now() + ms
    for (let i = 0; stage.clock.now() < end; ) {
      for (; i < stage.requests.length; i++) request(i).end()
      await stage.clock.advance(100)
    }
  }

  test('comes when patience runs out, and not before', async () => {
    stage = new Stage({ gapPatienceMs: 30_000 })
    stage.streaming.clear()
    stage.fetcher.want('head', { root: true })
    stage.fetcher.want('link')
    await refuseAll(29_000)
    expect(stage.givenUp).toEqual([])
    await refuseAll(2000)
    expect(stage.givenUp).toEqual([
      ['head', true],
      ['link', false]
    ])
    expect(stage.fetcher.size).toBe(0)
    expect(stage.clock.timers).toBe(0)
  })

  test('does not come while there is nobody to ask', async () => {
    stage = new Stage({ gapPatienceMs: 30_000 })
    stage.streaming.clear()
    stage.peers = []
    stage.fetcher.want('a')
    await refuseAll(300_000)
    expect(stage.givenUp).toEqual([])
    stage.peers = ['alice']
    await refuseAll(120_000)
    expect(stage.givenUp).toEqual([['a', false]])
  })

  test('comes after one attempt where that was asked for, unless somebody needs it by then', async () => {
    stage = new Stage()
    stage.fetcher.want('gap', { once: true, byIdFirst: true, sources: ['alice'] })
    stage.fetcher.want('needed', { once: true, byIdFirst: true, sources: ['alice'] })
    await stage.clock.settle()
    stage.fetcher.want('needed', { sources: ['bob'] })
    request(0).end()
    await stage.clock.settle()
    expect(stage.givenUp).toEqual([['gap', false]])
    expect(stage.fetcher.has('needed')).toBe(true)
  })

  test('of a link that nobody needs any more is silent, but a head stays wanted', async () => {
    stage = new Stage()
    stage.fetcher.want('link')
    stage.fetcher.want('head', { root: true })
    stage.fetcher.release('link')
    stage.fetcher.release('head')
    expect(stage.fetcher.has('link')).toBe(false)
    expect(stage.fetcher.has('head')).toBe(true)
    expect(stage.givenUp).toEqual([])
  })

  test('of heads that are too many begins with whoever said most', async () => {
    stage = new Stage({ wantedHeadsMax: 5 })
    stage.streaming.clear()
    for (let i = 0; i < 7; i++) stage.fetcher.want(`a${i}`, { root: true, sources: ['alice'] })
    expect(stage.givenUp.map(([id]) => id)).toEqual(['a5', 'a6'])
    stage.fetcher.want('b', { root: true, sources: ['bob'] })
    expect(stage.givenUp.map(([id]) => id)).toEqual(['a5', 'a6', 'a0'])
    expect(stage.fetcher.has('b')).toBe(true)
    expect(stage.fetcher.size).toBe(5)
  })
})

describe('by stream', () => {
  test('one peer streams at a time while blocks come, and is asked for all that it has', async () => {
    stage = new Stage()
    stage.fetcher.want('a', { sources: ['alice', 'bob'], root: true })
    stage.fetcher.want('b', { sources: ['alice'], root: true })
    stage.fetcher.want('c', { sources: ['carol', 'alice'], root: true })
    await stage.clock.settle()
    expect(stage.pulls.map(({ ids, peers }) => [ids, peers])).toEqual([[['a', 'b', 'c'], ['alice']]])
    for (let i = 0; i < 100; i++) {
      pull(0).send(`block${i}`)
      await stage.clock.advance(500)
    }
    expect(stage.pulls).toHaveLength(1)
    expect(stage.requests).toEqual([])
  })

  test('what a stream ended without is asked of the next, and then by id', async () => {
    stage = new Stage()
    stage.fetcher.want('a', { sources: ['alice', 'bob'] })
    await stage.clock.settle()
    pull(0).send('other')
    pull(0).end()
    await stage.clock.settle()
    pull(1).end(new Error('reset'))
    await stage.clock.settle()
    expect(stage.pulls.map(({ peers }) => peers[0])).toEqual(['alice', 'bob'])
    expect(stage.failedPulls).toEqual(['bob'])
    expect(stage.requests.map(({ ids }) => ids)).toEqual([['a']])
    // After a pause the streams are tried again, since the peers may have it by then.
    request(0).end()
    await stage.clock.advance(1000)
    expect(stage.pulls).toHaveLength(3)
  })

  /** Walks down a branch: each block is wanted when the one above it has come, by id where no stream brings it. */
  async function walk(from: number, to: number, peer: string): Promise<void> {
    for (let i = from; i < to; i++) {
      const [pulls, requests] = [stage.pulls.length, stage.requests.length]
      stage.fetcher.want(`block${i}`, { sources: [peer] })
      await stage.clock.settle()
      if (stage.pulls.length > pulls) pull(pulls).end(new Error('invalid'))
      await stage.clock.settle()
      request(requests).send(`block${i}`)
      request(requests).end()
      await stage.clock.advance(100)
    }
  }

  test('that break off again and again before they bring anything are opened ever more rarely', async () => {
    stage = new Stage({ retryIntervalMs: 500, retryIntervalMsMax: 60_000 })
    await walk(0, 300, 'alice')
    expect(stage.delivered).toHaveLength(300)
    // In half a minute, and not one for each block.
    expect(stage.pulls.length).toBeGreaterThan(3)
    expect(stage.pulls.length).toBeLessThan(9)
    // Nobody else has to wait for it.
    stage.fetcher.want('other', { sources: ['alice', 'bob'] })
    await stage.clock.settle()
    expect(stage.pulls.at(-1)?.peers).toEqual(['bob'])
  })

  test('are opened again at once to a peer that left and came back, or brought something new', async () => {
    stage = new Stage({ retryIntervalMs: 60_000, retryIntervalMsMax: 60_000 })
    await walk(0, 10, 'alice')
    expect(stage.pulls).toHaveLength(2)
    stage.fetcher.peerLeft('alice')
    stage.fetcher.want('a', { sources: ['alice'] })
    await stage.clock.settle()
    expect(stage.pulls).toHaveLength(3)
    for (let i = 2; i < 12; i++) {
      pull(i).send(`new${i}`)
      pull(i).end(new Error('reset'))
      await stage.clock.settle()
      stage.fetcher.want(`b${i}`, { sources: ['alice'] })
      await stage.clock.settle()
      expect(stage.pulls).toHaveLength(i + 2)
    }
  })

  test('when one stalls, a peer that is idle is asked as well', async () => {
    stage = new Stage({ pullStallMs: 1000 })
    stage.fetcher.want('a', { sources: ['alice', 'bob'] })
    await stage.clock.advance(900)
    pull(0).send('x')
    await stage.clock.advance(900)
    expect(stage.pulls).toHaveLength(1)
    await stage.clock.advance(1100)
    expect(stage.pulls.map(({ peers }) => peers[0])).toEqual(['alice', 'bob'])
    expect(pull(0).signal.aborted).toBe(false)
  })

  test('a peer that comes to be known while the only other one stalls is asked', async () => {
    stage = new Stage({ pullStallMs: 1000 })
    stage.fetcher.want('a', { sources: ['alice'] })
    await stage.clock.advance(5000)
    expect(stage.pulls).toHaveLength(1)
    stage.fetcher.want('a', { sources: ['bob'] })
    await stage.clock.advance(10)
    expect(stage.pulls.map(({ peers }) => peers[0])).toEqual(['alice', 'bob'])
  })

  test('repetitions are no progress', async () => {
    stage = new Stage({ pullStallMs: 1000 })
    stage.fetcher.want('a', { sources: ['alice', 'bob'] })
    for (let i = 0; i < 30; i++) {
      await stage.clock.advance(100)
      pull(0).send('again')
    }
    expect(stage.pulls.map(({ peers }) => peers[0])).toEqual(['alice', 'bob'])
  })

  test('time that taking a block needs is no stall', async () => {
    stage = new Stage({ pullStallMs: 1000 })
    stage.fetcher.want('a', { sources: ['alice', 'bob'] })
    await stage.clock.settle()
    stage.gate = Promise.withResolvers()
    pull(0).send('x')
    await stage.clock.advance(30_000)
    stage.gate.resolve()
    await stage.clock.advance(500)
    expect(stage.pulls).toHaveLength(1)
  })

  test('what is wanted of a peer that streams something else is asked for by id meanwhile', async () => {
    stage = new Stage({ pullStallMs: 1000 })
    stage.fetcher.want('a', { sources: ['alice'] })
    for (let i = 0; i < 20; i++) {
      await stage.clock.advance(200)
      pull(0).send(`x${i}`)
    }
    stage.fetcher.want('b', { sources: ['alice'] })
    stage.fetcher.want('c', { sources: ['bob'] })
    await stage.clock.settle()
    expect(stage.pulls).toHaveLength(1)
    expect(stage.requests.flatMap(({ ids }) => ids)).toEqual(['b', 'c'])
  })

  test('the other heads of the hello that began it are not asked for by id', async () => {
    stage = new Stage({ pullStallMs: 1000 })
    stage.fetcher.want('a', { sources: ['alice'], root: true })
    await stage.clock.advance(10)
    stage.fetcher.want('b', { sources: ['alice'], root: true })
    for (let i = 0; i < 20; i++) {
      await stage.clock.advance(200)
      pull(0).send(`x${i}`)
    }
    expect(stage.requests).toEqual([])
    pull(0).end()
    await stage.clock.settle()
    // It was not asked for them, so it may have them all the same.
    expect(stage.pulls.map(({ ids }) => ids)).toEqual([['a'], ['b']])
    expect(stage.requests.flatMap(({ ids }) => ids)).toEqual(['a'])
  })

  test('one that never brings what it was asked for does not keep it for ever', async () => {
    stage = new Stage({ gapPatienceMs: 20_000 })
    stage.fetcher.want('a', { sources: ['alice', 'bob'] })
    for (let i = 0; i < 110; i++) {
      await stage.clock.advance(200)
      pull(0).send(`x${i}`)
    }
    expect(stage.requests.flatMap(({ ids }) => ids)).toEqual(['a'])
  })

  test('one that ended without it is not waited for when it streams something else', async () => {
    stage = new Stage({ pullStallMs: 1000, fetchTimeoutMs: 10_000 })
    stage.fetcher.want('a', { sources: ['alice', 'bob'] })
    // Alice stalls, Bob ends without it and then streams for another want, and Alice stalls on.
    await stage.clock.advance(1500)
    pull(1).end()
    await stage.clock.settle()
    stage.fetcher.want('b', { sources: ['bob'] })
    for (let i = 0; i < 60; i++) {
      await stage.clock.advance(200)
      pull(2)?.send(`x${i}`)
    }
    expect(stage.pulls.map(({ ids, peers }) => [ids, peers[0]])).toEqual([
      [['a'], 'alice'],
      [['a'], 'bob'],
      [['b'], 'bob']
    ])
    expect(stage.requests.flatMap(({ ids }) => ids)).toEqual(['a'])
  })

  test('one that brings nothing new is ended when something else is wanted', async () => {
    stage = new Stage({ pullConcurrency: 1, syncScanTimeoutMs: 60_000 })
    stage.fetcher.want('a', { sources: ['alice'] })
    for (let i = 0; i < 130; i++) {
      await stage.clock.advance(500)
      pull(0).send('again')
    }
    stage.fetcher.want('b', { sources: ['bob'] })
    await stage.clock.advance(10)
    expect(pull(0).signal.aborted).toBe(true)
    await stage.clock.advance(2000)
    expect(stage.failedPulls).toEqual(['alice'])
  })

  test('more heads than one request holds are asked for in the next', async () => {
    stage = new Stage({ helloHeadsMax: 3 })
    for (const id of 'abcde') stage.fetcher.want(id, { sources: ['alice'] })
    await stage.clock.settle()
    pull(0).end()
    await stage.clock.settle()
    expect(stage.pulls.map(({ ids }) => ids)).toEqual([
      ['a', 'b', 'c'],
      ['d', 'e']
    ])
    expect(stage.requests.flatMap(({ ids }) => ids)).toEqual(['a', 'b', 'c'])
  })

  test('so many are open at most', async () => {
    stage = new Stage({ pullConcurrency: 2, pullStallMs: 100 })
    for (const peer of ['alice', 'bob', 'carol']) {
      stage.fetcher.want(`of ${peer}`, { sources: [peer] })
      await stage.clock.advance(150)
    }
    expect(stage.pulls.map(({ peers }) => peers[0])).toEqual(['alice', 'bob'])
    expect(stage.fetcher.pulling).toBe(2)
    expect(stage.requests.flatMap(({ ids }) => ids)).toEqual(['of carol'])
  })

  test('an announced head is asked for by id first, and its ancestors by stream', async () => {
    stage = new Stage()
    stage.fetcher.want('head', { sources: ['alice'], root: true, byIdFirst: true })
    await stage.clock.settle()
    expect([stage.pulls.length, stage.requests.length]).toEqual([0, 1])
    request(0).send('head')
    request(0).end()
    stage.fetcher.want('parent', { sources: ['alice'] })
    await stage.clock.settle()
    expect(stage.pulls.map(({ ids }) => ids)).toEqual([['parent']])
  })

  test('of a peer that left is not waited for', async () => {
    stage = new Stage()
    stage.fetcher.want('a', { sources: ['alice'] })
    await stage.clock.settle()
    stage.streaming.delete('alice')
    stage.fetcher.peerLeft('alice')
    pull(0).end(new Error('gone'))
    await stage.clock.settle()
    expect(stage.requests.flatMap(({ ids }) => ids)).toEqual(['a'])
  })
})

describe('lifecycle', () => {
  test('nothing is asked before the start', async () => {
    stage = new Stage()
    await stage.fetcher.stop()
    const requests: string[] = []
    const clock = new FakeClock()
    const fetcher = new Fetcher({
      ...{ clock, random: () => 0.5, limits: defaultLimits },
      exchange: {
        ...{ start: async () => {}, stop: async () => {}, peers: () => [] },
        // biome-ignore lint/correctness/useYield: it has nothing to give.
        fetch: async function* (ids) {
          requests.push(...ids)
        }
      },
      deliver: async () => true,
      giveUp: () => {},
      onPullFailed: () => {}
    })
    fetcher.want('a')
    fetcher.want('b')
    fetcher.drop('a')
    await clock.advance(10_000)
    expect(requests).toEqual([])
    fetcher.start()
    await clock.settle()
    expect(requests).toEqual(['b'])
    await fetcher.stop()
    expect(clock.timers).toBe(0)
  })

  test('stop ends every request and every stream at once, and later wants are not heard', async () => {
    stage = new Stage()
    stage.fetcher.want('a', { sources: ['alice'] })
    stage.fetcher.want('b')
    await stage.clock.settle()
    await stage.fetcher.stop()
    expect([request(0).signal.aborted, pull(0).signal.aborted]).toEqual([true, true])
    expect(stage.failedPulls).toEqual([])
    stage.fetcher.want('c')
    await stage.clock.settle()
    expect([stage.requests.length, stage.fetcher.size]).toEqual([1, 0])
  })
})

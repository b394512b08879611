// Blocks by two ways: the exchange before the fetcher, the fetcher for the rest, and a fetcher that does as it likes.
import { expect, test as it } from 'vitest'
import { cidFromBlockId } from '../../src/codec/block-id.ts'
import { TwoWays } from '../../src/dag/two-ways.ts'
import {
  type BlockExchange,
  defaultLimits,
  type FetchOptions,
  type LimitName,
  type ReceivedBlock
} from '../../src/index.ts'
import { FakeClock } from '../replica/clock.ts'
import { forge } from '../replica/forge.ts'

/** A way that the test answers. */
interface Asked<T> {
  ids: readonly string[]
  at: number
  signal: AbortSignal
  answer: PromiseWithResolvers<T>
}

class Stage {
  readonly clock = new FakeClock()
  /** Requests to the exchange, and blocks that the fetcher was asked for. */
  readonly exchanged: Array<Asked<ReceivedBlock[]>> = []
  readonly fetched: Array<Asked<Uint8Array>> = []
  /** Whether the fetcher ends what it is told to end. */
  obeys = true
  /** Fetches that have not ended. */
  open = 0
  others: string[] = []
  readonly ways: TwoWays

  constructor(limits: Partial<Record<LimitName, number>> = {}, exchange: Partial<BlockExchange> = {}) {
    this.ways = new TwoWays({
      clock: this.clock,
      limits: { ...defaultLimits, ...limits },
      exchange: {
        start: async () => {},
        stop: async () => {},
        peers: () => ['alice'],
        others: () => this.others,
        fetch: (ids, options) => this.#exchange(ids, options),
        ...exchange
      },
      fetcher: { fetch: (cid, { signal }) => this.#fetch(cid.toString(), signal) }
    })
  }

  /** Fetches, and notes what came and how it ended. */
  fetch(ids: readonly string[], options: Partial<FetchOptions> = {}): Fetching {
    const controller = new AbortController()
    const fetching: Fetching = { blocks: [], ended: undefined, controller, done: Promise.resolve() }
    const all = { peers: ['go'], signal: controller.signal, ...options }
    fetching.done = (async () => {
      try {
        for await (const block of this.ways.fetch(ids, all)) fetching.blocks.push(block)
        fetching.ended = 'well'
      } catch (error) {
        fetching.ended = error
      }
    })()
    return fetching
  }

  async *#exchange(ids: readonly string[], { signal }: FetchOptions): AsyncGenerator<ReceivedBlock> {
    const answer = Promise.withResolvers<ReceivedBlock[]>()
    this.exchanged.push({ ids, signal, at: this.clock.now(), answer })
    signal.addEventListener('abort', () => answer.reject(signal.reason))
    yield* await answer.promise
  }

  async #fetch(cid: string, signal: AbortSignal): Promise<Uint8Array> {
    const answer = Promise.withResolvers<Uint8Array>()
    this.fetched.push({ ids: [cid], signal, at: this.clock.now(), answer })
    if (this.obeys) signal.addEventListener('abort', () => answer.reject(new Error('aborted')))
    this.open++
    try {
      return await answer.promise
    } finally {
      this.open--
    }
  }
}

interface Fetching {
  blocks: ReceivedBlock[]
  ended: unknown
  controller: AbortController
  done: Promise<void>
}

const [one, two, three] = ['one', 'two', 'three'].map((name) => forge({ puts: { [`/${name}`]: name } })) as [
  ReturnType<typeof forge>,
  ReturnType<typeof forge>,
  ReturnType<typeof forge>
]
const ids = [one.id, two.id]
const cidOf = ({ id }: { id: string }): string => cidFromBlockId(id).toString()
const from = (peer: string, ...blocks: Array<{ bytes: Uint8Array }>): ReceivedBlock[] =>
  blocks.map(({ bytes }) => ({ bytes, from: peer }))

/** Every test must leave neither a timer nor a fetch behind. */
const test = (
  name: string,
  body: (stage: Stage) => Promise<void>,
  limits?: Partial<Record<LimitName, number>>
) =>
  it(name, async () => {
    const stage = new Stage(limits)
    await body(stage)
    await stage.clock.settle()
    expect(stage.clock.timers).toBe(0)
    if (stage.obeys) expect(stage.open).toBe(0)
  })

test('what the exchange brings is not asked of the fetcher', async (stage) => {
  const fetching = stage.fetch(ids)
  await stage.clock.settle()
  expect(stage.fetched).toEqual([])
  stage.exchanged[0]?.answer.resolve(from('alice', one, two))
  await fetching.done
  expect(fetching).toMatchObject({ blocks: from('alice', one, two), ended: 'well' })
  expect(stage.fetched).toEqual([])
  expect(stage.ways.counters).toEqual({ requests: 0, blocks: 0, failures: 0 })
})

test('what the exchange has not is asked of the fetcher as soon as that is known', async (stage) => {
  const fetching = stage.fetch(ids, { ledBy: 'carol' })
  await stage.clock.settle()
  stage.exchanged[0]?.answer.resolve(from('alice', one))
  await stage.clock.settle()
  expect(stage.fetched.map(({ ids: [cid] }) => cid)).toEqual([cidOf(two)])
  expect(stage.clock.now()).toBe(0)
  stage.fetched[0]?.answer.resolve(two.bytes)
  await fetching.done
  // Nobody knows who sent it, so it is put down to whoever led to it.
  expect(fetching).toMatchObject({ blocks: [...from('alice', one), ...from('carol', two)], ended: 'well' })
  expect(stage.ways.counters).toEqual({ requests: 1, blocks: 1, failures: 0 })
})

test('a block that is asked of the fetcher has come to its turn', async (stage) => {
  const asked: string[] = []
  const fetching = stage.fetch(ids, { ledBy: 'carol', asked: (peer) => asked.push(peer) })
  await stage.clock.settle()
  expect(asked).toEqual([])
  stage.exchanged[0]?.answer.resolve(from('alice', one))
  await stage.clock.settle()
  expect(asked).toEqual(['carol'])
  stage.fetched[0]?.answer.resolve(two.bytes)
  await fetching.done
})

test('where nobody speaks the sync protocol the fetcher is asked at once, for all blocks together', async (stage) => {
  const fetching = stage.fetch(ids)
  await stage.clock.settle()
  stage.exchanged[0]?.answer.resolve([])
  await stage.clock.settle()
  expect(stage.fetched).toHaveLength(2)
  // In whatever order it brings them.
  stage.fetched[1]?.answer.resolve(two.bytes)
  await stage.clock.settle()
  expect(fetching.blocks).toEqual(from('go', two))
  stage.fetched[0]?.answer.resolve(one.bytes)
  await fetching.done
  expect(fetching.blocks).toEqual(from('go', two, one))
})

test('an exchange that is slow holds up the fetcher for a short time only', async (stage) => {
  const fetching = stage.fetch(ids)
  await stage.clock.advance(defaultLimits.blockFetcherDelayMs - 1)
  expect(stage.fetched).toEqual([])
  await stage.clock.advance(1)
  expect(stage.fetched.map(({ at }) => at)).toEqual([250, 250])
  stage.fetched[0]?.answer.resolve(one.bytes)
  await stage.clock.settle()
  expect(fetching.blocks).toEqual(from('go', one))
  // What then comes by the exchange ends the other request for it.
  stage.exchanged[0]?.answer.resolve(from('alice', two))
  await fetching.done
  expect(fetching).toMatchObject({ blocks: [...from('go', one), ...from('alice', two)], ended: 'well' })
  expect(stage.fetched[1]?.signal.aborted).toBe(true)
})

test('an exchange that fails is no reason not to ask the fetcher, and tells so if that has not all', async (stage) => {
  for (const answers of [true, false]) {
    const fetching = stage.fetch([one.id])
    await stage.clock.settle()
    stage.exchanged.pop()?.answer.reject(new RangeError('broken'))
    await stage.clock.settle()
    const asked = stage.fetched.pop()
    if (answers) asked?.answer.resolve(one.bytes)
    else asked?.answer.reject(new Error('nobody has it'))
    await fetching.done
    expect(fetching.ended).toEqual(answers ? 'well' : new RangeError('broken'))
  }
})

test('a fetcher that fails is no error, and holds up no other block', async (stage) => {
  const fetching = stage.fetch(ids)
  await stage.clock.settle()
  stage.exchanged[0]?.answer.resolve([])
  await stage.clock.settle()
  stage.fetched[0]?.answer.reject(new Error('nobody has it'))
  stage.fetched[1]?.answer.resolve(two.bytes)
  await fetching.done
  expect(fetching).toMatchObject({ blocks: from('go', two), ended: 'well' })
  expect(stage.ways.counters).toEqual({ requests: 2, blocks: 1, failures: 1 })
})

test(
  'each block has its own time, counted from when it was asked for',
  async (stage) => {
    const fetching = stage.fetch([one.id, two.id])
    await stage.clock.settle()
    stage.exchanged[0]?.answer.resolve([])
    await stage.clock.settle()
    // One at a time by the limit, so the second one is asked for when the first one's time is over.
    expect(stage.fetched).toHaveLength(1)
    await stage.clock.advance(999)
    expect(stage.fetched).toHaveLength(1)
    await stage.clock.advance(1)
    expect(stage.fetched.map(({ at }) => at)).toEqual([0, 1000])
    expect(fetching.ended).toBeUndefined()
    await stage.clock.advance(900)
    stage.fetched[1]?.answer.resolve(two.bytes)
    await fetching.done
    expect(fetching).toMatchObject({ blocks: from('go', two), ended: 'well' })
  },
  { fetchConcurrency: 1, fetchTimeoutMs: 1000 }
)

test(
  'bytes that are not the block, and such as are too large, are handed on to be refused',
  async (stage) => {
    const large = new Uint8Array(65_537)
    const fetching = stage.fetch(ids)
    await stage.clock.settle()
    stage.exchanged[0]?.answer.resolve([])
    await stage.clock.settle()
    stage.fetched[0]?.answer.resolve(three.bytes)
    stage.fetched[1]?.answer.resolve(large)
    await fetching.done
    expect(fetching.blocks).toHaveLength(2)
    expect(fetching.blocks).toEqual(expect.arrayContaining(from('go', three, { bytes: large })))
  },
  { blockBytesMax: 65_536 }
)

test('what is no bytes at all counts as failed', async (stage) => {
  const fetching = stage.fetch([one.id])
  await stage.clock.settle()
  stage.exchanged[0]?.answer.resolve([])
  await stage.clock.settle()
  stage.fetched[0]?.answer.resolve(undefined as never)
  await fetching.done
  expect(fetching).toMatchObject({ blocks: [], ended: 'well' })
  expect(stage.ways.counters.failures).toBe(1)
})

test('an abort ends both ways at once', async (stage) => {
  const fetching = stage.fetch(ids)
  await stage.clock.advance(300)
  expect(stage.fetched).toHaveLength(2)
  const reason = new Error('enough')
  fetching.controller.abort(reason)
  await fetching.done
  expect(fetching.ended).toBe(reason)
  expect(stage.exchanged[0]?.signal.aborted).toBe(true)
  expect(stage.fetched.every(({ signal }) => signal.aborted)).toBe(true)
})

test('whoever takes no more ends both ways too', async (stage) => {
  const controller = new AbortController()
  const blocks = stage.ways.fetch(ids, { peers: [], signal: controller.signal })
  const first = blocks.next()
  await stage.clock.advance(300)
  stage.fetched[0]?.answer.resolve(one.bytes)
  expect((await first).value).toEqual({ bytes: one.bytes, from: '' })
  await blocks.return(undefined)
  expect(stage.fetched[1]?.signal.aborted).toBe(true)
  expect(stage.exchanged[0]?.signal.aborted).toBe(true)
})

test(
  'a fetcher that does not end when it is told to holds up nothing, and is asked for no more than so much',
  async (stage) => {
    stage.obeys = false
    const many = Array.from({ length: 20 }, (_, index) => forge({ puts: { [`/${index}`]: 'x' } }))
    for (let round = 0; round < 3; round++) {
      const fetching = stage.fetch(many.map(({ id }) => id))
      await stage.clock.settle()
      stage.exchanged[round]?.answer.resolve([])
      // Four are asked for, and when their time is over four more.
      await stage.clock.advance(20_000)
      await fetching.done
      expect(fetching.ended).toBe('well')
    }
    // Twice the limit of blocks asked for at once, and none of them twice.
    expect(stage.open).toBe(8)
    expect(new Set(stage.fetched.map(({ ids: [cid] }) => cid)).size).toBe(8)
    // A place is free again when one does end.
    stage.fetched[0]?.answer.reject(new Error('at last'))
    await stage.clock.settle()
    const fetching = stage.fetch([many[19]?.id as string])
    await stage.clock.settle()
    stage.exchanged[3]?.answer.resolve([])
    await stage.clock.settle()
    expect(stage.fetched.at(-1)?.ids).toEqual([cidOf(many[19] as { id: string })])
    stage.fetched.at(-1)?.answer.resolve((many[19] as { bytes: Uint8Array }).bytes)
    await fetching.done
    expect(fetching.blocks).toHaveLength(1)
  },
  { fetchConcurrency: 4 }
)

it('can be asked to stream only where the exchange can, and peers of both ways count', () => {
  const deaf = new Stage()
  expect([deaf.ways.pull, deaf.ways.canPull]).toEqual([undefined, undefined])
  deaf.others = ['go', 'alice']
  expect(deaf.ways.peers()).toEqual(['alice', 'go'])
  const able = new Stage({}, { pull: async function* () {}, canPull: (peer) => peer === 'alice' })
  expect(able.ways.canPull?.('alice')).toBe(true)
  expect(able.ways.canPull?.('go')).toBe(false)
})

// Whatever a peer sends, or does not send: nothing throws, nothing hangs, nothing stays, and it is counted.
import { create, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { encode } from 'it-length-prefixed'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BlockId } from '../../src/crdt/delta.ts'
import { SYNC_PROTOCOL, type SyncExchange, syncExchange } from '../../src/libp2p/index.ts'
import {
  BatchSchema,
  BlocksSchema,
  CursorSchema,
  HeadSchema,
  HelloSchema,
  KnownSchema,
  RefusalSchema,
  type Request,
  RequestSchema,
  type Response,
  ResponseSchema,
  WantSchema,
  WorkingSchema
} from '../../src/libp2p/sync/messages_pb.ts'
import { helloOf, request, response } from '../../src/libp2p/sync/protocol.ts'
import { defaultLimits } from '../../src/options.ts'
import { bytesField, join } from '../codec/wire-bytes.ts'
import { FakeLibp2p, type FakeStream } from './fake-libp2p.ts'
import { FakeReplica } from './fake-replica.ts'
import { ManualClock, settle } from './manual-clock.ts'

const IDLE_MS = defaultLimits.syncIdleTimeoutMs
const signal = new AbortController().signal

let victim: FakeLibp2p
let attacker: FakeLibp2p
let replica: FakeReplica
let clock: ManualClock
let exchange: SyncExchange

beforeEach(async () => {
  victim = new FakeLibp2p('victim')
  attacker = new FakeLibp2p('attacker')
  replica = new FakeReplica()
  clock = new ManualClock()
  exchange = syncExchange({ libp2p: victim, clock, random: () => 0.5 }, { topic: 'topic' })
  await replica.writeMany('secret', 50)
  await exchange.start(replica)
})

afterEach(async () => {
  await exchange.stop()
  expect(victim.openStreams()).toEqual([])
  expect(clock.timers).toBe(0)
  expect(exchange.counters.streamsOpen).toBe(0)
})

const frameOf = (bytes: Uint8Array): Uint8Array =>
  encode.single(bytes, { maxDataLength: Number.POSITIVE_INFINITY }).subarray()
const asked = (body: Request['body']): Uint8Array => frameOf(toBinary(RequestSchema, request(body)))
const answered = (body: Response['body']): Uint8Array => frameOf(toBinary(ResponseSchema, response(body)))
const manyIds = Array.from({ length: 1100 }, () => new Uint8Array(32))
const manyHeads = manyIds.map((id) => create(HeadSchema, { id }))

/** A frame of one message: what is given, and then half a million empty entries of one of its fields. */
function manyEmpty(body: number, field: number, start: Uint8Array[]): Uint8Array {
  const entry = bytesField(field, '')
  const entries = new Uint8Array(500_000 * entry.length)
  for (let at = 0; at < entries.length; at += entry.length) entries.set(entry, at)
  return frameOf(bytesField(body, join(...start, entries)))
}

const hello = (topic = 'topic') => helloOf(topic, new FakeReplica().snapshot(), defaultLimits)

async function openStream(): Promise<FakeStream> {
  attacker.connect(victim)
  return await attacker.connections[0]!.newStream(SYNC_PROTOCOL)
}

async function attackWith(...chunks: Uint8Array[]): Promise<FakeStream> {
  const stream = await openStream()
  for (const chunk of chunks) await stream.writeRaw(chunk).catch(() => {})
  await settle()
  return stream
}

async function drain(stream: FakeStream): Promise<number> {
  let bytes = 0
  for await (const chunk of stream.source) bytes += chunk.length
  return bytes
}

describe('a peer that opens a stream', () => {
  test('with random bytes is dropped', async () => {
    attacker.connect(victim)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
        const stream = await attacker.connections[0]!.newStream(SYNC_PROTOCOL)
        await stream.writeRaw(bytes).catch(() => {})
        stream.endRaw()
        await drain(stream).catch(() => {})
      }),
      { numRuns: 300 }
    )
    expect(replica.claims).toEqual([])
    expect(exchange.counters.invalidFrames).toBeGreaterThan(0)
  })

  test('with a hello that has any of its bytes changed never breaks anything', async () => {
    attacker.connect(victim)
    const valid = asked({ case: 'hello', value: hello() })
    await fc.assert(
      fc.asyncProperty(fc.nat(valid.length - 1), fc.nat(255), async (at, byte) => {
        const bytes = valid.slice()
        bytes[at] = byte
        const stream = await attacker.connections[0]!.newStream(SYNC_PROTOCOL)
        await stream.writeRaw(bytes).catch(() => {})
        stream.endRaw()
        await drain(stream).catch(() => {})
      }),
      { numRuns: 300 }
    )
  })

  test.each([
    ['a frame of 4 GiB', [Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f)]],
    ['a length without end', [new Uint8Array(20).fill(0xff)]],
    ['an empty frame', [Uint8Array.of(0)]],
    ['a want before its hello', [asked({ case: 'want', value: create(WantSchema, { final: true }) })]],
    ['a message of the future', [frameOf(Uint8Array.of(0x7a, 0))]],
    ['a second hello', Array(2).fill(asked({ case: 'hello', value: hello() }))],
    [
      'a head that is no digest',
      [
        asked({
          case: 'hello',
          value: { ...hello(), heads: [create(HeadSchema, { id: new Uint8Array(31) })] }
        })
      ]
    ],
    [
      'a digest that is too long',
      [asked({ case: 'hello', value: { ...hello(), digest: new Uint8Array(33) } })]
    ],
    [
      'a sequence number of 64 bits',
      [asked({ case: 'hello', value: { ...hello(), sequence: 2n ** 64n - 1n } })]
    ],
    [
      'a generation that is too long',
      [asked({ case: 'hello', value: { ...hello(), generation: 'g'.repeat(1000) } })]
    ],
    [
      'a DAG name that is too long',
      [asked({ case: 'hello', value: { ...hello(), ignoredDags: ['d'.repeat(300)] } })]
    ],
    [
      'a want for what is no id',
      [
        asked({ case: 'hello', value: hello() }),
        asked({ case: 'want', value: create(WantSchema, { have: [new Uint8Array(5)] }) })
      ]
    ],
    // Each entry of two bytes takes a hundred in memory, for as long as the stream is open.
    [
      'a hello of half a million heads that are empty',
      [manyEmpty(1, 4, [toBinary(HelloSchema, { ...hello(), heads: manyHeads })])]
    ],
    ['a hello of half a million DAG names', [manyEmpty(1, 12, [toBinary(HelloSchema, hello())])]],
    ['a want of half a million ids', [asked({ case: 'hello', value: hello() }), manyEmpty(2, 3, [])]],
    [
      'a want whose ids are empty after the thousandth',
      [
        asked({ case: 'hello', value: hello() }),
        asked({ case: 'want', value: create(WantSchema, { samples: [...manyIds, new Uint8Array(0)] }) })
      ]
    ],
    [
      'blocks asked for by ids that are empty after the thousandth',
      [
        asked({ case: 'hello', value: hello() }),
        asked({ case: 'blocks', value: create(BlocksSchema, { ids: [...manyIds, new Uint8Array(0)] }) })
      ]
    ],
    [
      'a head that is no digest after the thousandth',
      [
        asked({
          case: 'hello',
          value: { ...hello(), heads: [...manyHeads, create(HeadSchema)] }
        })
      ]
    ]
  ])('with %s is dropped and counted', async (_name, chunks) => {
    const stream = await attackWith(...chunks)
    expect(stream.isOpen).toBe(false)
    expect(exchange.counters).toMatchObject({ invalidFrames: 1, droppedStreams: 1 })
  })

  test('and is cut off in the middle of a frame is dropped', async () => {
    const stream = await openStream()
    await stream.writeRaw(asked({ case: 'hello', value: hello() }).slice(0, -1))
    stream.endRaw()
    await settle()
    expect(stream.isOpen).toBe(false)
    expect(replica.claims).toEqual([])
  })

  test('and says nothing is dropped after a while', async () => {
    const stream = await openStream()
    await clock.pass(IDLE_MS - 1)
    expect(stream.isOpen).toBe(true)
    await clock.pass(2)
    expect(stream.isOpen).toBe(false)
    expect(exchange.counters.droppedStreams).toBe(1)
  })

  test('and sends one byte at a time is dropped after a while', async () => {
    const stream = await openStream()
    const bytes = asked({ case: 'hello', value: { ...hello(), generation: 'g'.repeat(60) } })
    for (const byte of bytes) {
      await stream.writeRaw(Uint8Array.of(byte)).catch(() => {})
      await clock.pass(IDLE_MS / 20)
    }
    expect(stream.isOpen).toBe(false)
    expect(exchange.counters.droppedStreams).toBe(1)
  })

  test('and asks, but takes nothing of the answer, is dropped after a while', async () => {
    for (let index = 0; index < 40; index++) await replica.write(`large ${index}`, { size: 100_000 })
    const stream = await attackWith(
      asked({ case: 'hello', value: hello() }),
      asked({ case: 'want', value: create(WantSchema, { final: true }) })
    )
    await clock.pass(2 * IDLE_MS + 1)
    expect(stream.isOpen).toBe(false)
    expect(exchange.counters.blocksOut).toBeLessThan(60)
  })

  test('with a hello that names DAGs again and again is believed as far as it makes sense', async () => {
    const ignoredDags = [
      ...Array(1000).fill('red'),
      ...Array.from({ length: 60_000 }, (_, index) => `${index}`)
    ]
    await attackWith(asked({ case: 'hello', value: { ...hello(), ignoredDags } }))
    const [said] = replica.claims
    expect(said?.claim.ignoredDags.slice(0, 2)).toEqual(['red', '0'])
    // As many as a hello of ours would tell.
    expect(said?.claim.ignoredDags.length).toBeLessThan(20_000)
  })

  test('and goes on as it should is served all the same', async () => {
    const stream = await attackWith(
      asked({ case: 'hello', value: hello() }),
      asked({ case: 'want', value: create(WantSchema, { final: true }) })
    )
    stream.endRaw()
    expect(await drain(stream)).toBeGreaterThan(50 * 20)
    expect(exchange.counters).toMatchObject({ invalidFrames: 0, droppedStreams: 0, blocksOut: 50 })
  })

  test('and says where to go on is believed only of this life of the store, and of what is there', async () => {
    const servedFrom = async (generation: string, sequence: bigint): Promise<number> => {
      const before = exchange.counters.blocksOut
      const cursor = create(CursorSchema, { generation, sequence })
      const stream = await attackWith(
        asked({ case: 'hello', value: hello() }),
        asked({ case: 'want', value: create(WantSchema, { cursor, final: true }) })
      )
      stream.endRaw()
      await drain(stream)
      return exchange.counters.blocksOut - before
    }
    expect(await servedFrom(replica.generation, 30n)).toBe(20)
    expect(await servedFrom('of another life', 30n)).toBe(50)
    expect(await servedFrom(replica.generation, 51n)).toBe(50)
  })

  test('again and again is refused beyond the cap, and then cut off', async () => {
    attacker.connect(victim)
    const streams: FakeStream[] = []
    for (let index = 0; index < 40; index++)
      streams.push(await attacker.connections[0]!.newStream(SYNC_PROTOCOL))
    await settle()
    const { syncStreamsPerPeerMax } = defaultLimits
    expect(exchange.counters.refusedStreams).toBe(40 - syncStreamsPerPeerMax)
    expect(streams.filter(({ isOpen }) => isOpen)).toHaveLength(2 * syncStreamsPerPeerMax)
    const other = new FakeLibp2p('other')
    other.connect(victim)
    const stream = await other.connections[0]!.newStream(SYNC_PROTOCOL)
    await stream.writeRaw(asked({ case: 'hello', value: hello() }))
    await settle()
    expect(replica.claims.map(({ peer }) => peer)).toEqual(['other'])
  })
})

describe('a peer that is asked', () => {
  /** Answers each of the victim's messages with the next of these, and a last one for ever. */
  async function answering(...answers: Uint8Array[][]): Promise<void> {
    attacker.handlers.set(SYNC_PROTOCOL, ({ stream }) => {
      void (async () => {
        const left = [...answers]
        for await (const _ of stream.source) {
          const chunks = left.length > 1 ? left.shift()! : left[0]!
          for (const chunk of chunks) await stream.writeRaw(chunk)
        }
      })().catch(() => {})
    })
    victim.connect(attacker)
    await settle()
  }

  async function pull(): Promise<unknown> {
    const reading = async (): Promise<number> => {
      let count = 0
      for await (const _ of exchange.pull({ peer: 'attacker', want: [], signal })) count++
      return count
    }
    return await reading().catch((error: unknown) => error)
  }

  const helloAnswer = (topic?: string) => [answered({ case: 'hello', value: hello(topic) })]
  const block = new Uint8Array(10)

  test.each([
    ['answers a hello with garbage', [[new Uint8Array(300).fill(7)]], 'invalid'],
    ['answers for another topic', [helloAnswer('other')], 'invalid'],
    [
      'sends blocks in place of a hello',
      [[answered({ case: 'batch', value: create(BatchSchema, { blocks: [block] }) })]],
      'invalid'
    ],
    [
      'sends empty batches',
      [helloAnswer(), [answered({ case: 'batch', value: create(BatchSchema) })]],
      'invalid'
    ],
    ['says hello again', [helloAnswer(), helloAnswer()], 'invalid'],
    [
      // It would take two hundred times its size in memory.
      'sends a batch of half a million empty blocks',
      [helloAnswer(), [manyEmpty(4, 1, [])]],
      'invalid'
    ],
    [
      'refuses without a reason',
      [[answered({ case: 'refusal', value: create(RefusalSchema) })]],
      'not-allowed'
    ],
    [
      'never comes to an end of what it knows',
      [
        helloAnswer(),
        [answered({ case: 'known', value: create(KnownSchema, { indexes: [0, 1, 99, 4_000_000_000] }) })]
      ],
      'invalid'
    ],
    [
      'claims a sequence number that cannot be',
      [
        helloAnswer(),
        [answered({ case: 'batch', value: create(BatchSchema, { blocks: [block], sequence: 2n ** 60n }) })]
      ],
      'closed'
    ]
  ] as Array<[string, Uint8Array[][], string]>)('and %s is given up', async (_name, answers, reason) => {
    await answering(...answers)
    const pulling = pull()
    await clock.pass(IDLE_MS + 1)
    const result = await pulling
    if (reason === 'closed') return
    expect(result).toMatchObject({ name: 'SyncError', reason, peer: 'attacker' })
  })

  test('and sends a block over the limit is given up', async () => {
    const large = new Uint8Array(defaultLimits.blockBytesMax + 1)
    await answering(helloAnswer(), [
      answered({ case: 'batch', value: create(BatchSchema, { blocks: [large] }) })
    ])
    expect(await pull()).toMatchObject({ reason: 'invalid' })
  })

  test('for one block and sends others without end is given up at once', async () => {
    const others = answered({ case: 'batch', value: create(BatchSchema, { blocks: [block, block] }) })
    await answering(helloAnswer(), Array<Uint8Array>(100).fill(others))
    const wanted = await new FakeReplica().write('wanted')
    let received = 0
    for await (const _ of exchange.fetch([wanted], { peers: ['attacker'], signal })) received++
    expect(received).toBeLessThan(2)
    expect(exchange.counters).toMatchObject({ invalidFrames: 1, droppedStreams: 1 })
  })

  test('and never answers is given up after a while', async () => {
    await answering(helloAnswer(), [])
    const pulling = pull()
    await clock.pass(IDLE_MS + 1)
    expect(await pulling).toMatchObject({ reason: 'timeout' })
  })

  test('and sends its answer one byte at a time is given up after a while', async () => {
    const batch = answered({ case: 'batch', value: create(BatchSchema, { blocks: [new Uint8Array(5000)] }) })
    let sent = 0
    attacker.handlers.set(SYNC_PROTOCOL, ({ stream }) => {
      void (async () => {
        await stream.writeRaw(helloAnswer()[0]!)
        for (const byte of batch) {
          await new Promise((resolve) => clock.setTimeout(() => resolve(undefined), IDLE_MS / 20))
          await stream.writeRaw(Uint8Array.of(byte))
          sent++
        }
      })().catch(() => {})
    })
    victim.connect(attacker)
    await settle()
    const pulling = pull()
    for (let passed = 0; passed < 3 * IDLE_MS; passed += IDLE_MS / 20) await clock.pass(IDLE_MS / 20)
    expect(await Promise.race([pulling, 'still waiting'])).toMatchObject({ reason: 'too-slow' })
    expect(sent).toBeLessThan(60)
  })

  test('and always says that it is working is given up in the end', async () => {
    attacker.handlers.set(SYNC_PROTOCOL, ({ stream }) => {
      void (async () => {
        await stream.writeRaw(helloAnswer()[0]!)
        for (;;) {
          await new Promise((resolve) => clock.setTimeout(() => resolve(undefined), IDLE_MS / 2))
          await stream.writeRaw(answered({ case: 'working', value: create(WorkingSchema) }))
        }
      })().catch(() => {})
    })
    victim.connect(attacker)
    await settle()
    const pulling = pull()
    await clock.pass(defaultLimits.syncScanTimeoutMs / 2)
    await expect(Promise.race([pulling, 'still waiting'])).resolves.toBe('still waiting')
    await clock.pass(defaultLimits.syncScanTimeoutMs)
    expect(await pulling).toMatchObject({ reason: 'timeout' })
    await clock.pass(IDLE_MS)
  })

  test('for blocks and dawdles is skipped, and another is asked', async () => {
    await answering(helloAnswer(), [])
    const helper = new FakeLibp2p('helper')
    const helpful = new FakeReplica()
    const wanted: BlockId = await helpful.write('wanted')
    const helping = syncExchange({ libp2p: helper, clock }, { topic: 'topic' })
    await helping.start(helpful)
    victim.connect(helper)
    await settle()
    const fetching = (async () => {
      const found: string[] = []
      for await (const { from } of exchange.fetch([wanted], { peers: ['attacker'], signal })) found.push(from)
      return found
    })()
    await clock.pass(defaultLimits.fetchTimeoutMs + 1)
    expect(await fetching).toEqual(['helper'])
    await helping.stop()
  })
})

// A whole store over a fake node: real broadcaster, real sync protocol, real engine, virtual time. An input is what a
// hostile peer does, one thing after the other: broadcasts, blocks under their true names, streams, answers, silence.
//
// Whatever it was, the store still writes and reads, shows what the oracle makes of the blocks it merged, and leaves
// nothing behind when it is closed.
import { Key } from 'interface-datastore'
import { encodeBroadcast } from '../../../src/codec/broadcast.ts'
import { type CrdtDatastore, createCrdtDatastore } from '../../../src/index.ts'
import { SYNC_PROTOCOL } from '../../../src/libp2p/index.ts'
import { decodeLog } from '../../../src/storage/rows.ts'
import { blockId, oracle } from '../../../src/testkit/oracle/oracle.ts'
import { goldenBlocks } from '../../codec/golden.ts'
import { linkTargets } from '../../codec/hostile-bytes.ts'
import { block as blockOf, cidV1, join, link, put, tombstone, utf8 } from '../../codec/wire-bytes.ts'
import { FakeLibp2p } from '../../libp2p/fake-libp2p.ts'
import { FakePubSub } from '../../libp2p/fake-pubsub.ts'
import { FakeClock } from '../../replica/clock.ts'
import { AtomicMemory } from '../../replica/memory.ts'
import type { Chance } from '../chance.ts'
import { block, broadcast } from '../structured.ts'
import { anyFrame, anyRequest, anyResponse, frame, goodRequests, goodResponses, TOPIC } from '../sync-wire.ts'
import { demand, demandSame, few, type Target } from '../target.ts'

const SAY = 0
const SAY_BLOCK = 1
const NAME_BLOCK = 2
const OPEN_STREAM = 3
const ANSWER = 4
const WAIT = 5
const WRITE = 6
const RECONNECT = 7
const KINDS = 8

interface Deed {
  kind: number
  bytes: Uint8Array
}

const DEEDS_MAX = 24
const GAP_PATIENCE_MS = 1000

export const storeTarget: Target = {
  name: 'store',
  weight: 2,
  seeds: () => {
    const [x, y] = linkTargets as [Uint8Array, Uint8Array]
    const above = join(link(cidV1(x)), blockOf([put('/k', 'above'), tombstone('/x', blockId(x))]))
    return [
      script([SAY_BLOCK, x], [SAY_BLOCK, above], [WRITE, utf8('v')]),
      script([SAY_BLOCK, above], [WAIT, new Uint8Array(1)], [SAY_BLOCK, x]),
      script([NAME_BLOCK, y], [ANSWER, join(...goodResponses.map(frame))], [RECONNECT, new Uint8Array(0)]),
      script([OPEN_STREAM, join(...goodRequests.map(frame))], [WRITE, utf8('w')]),
      script(...goldenBlocks.slice(0, 5).map((bytes): [number, Uint8Array] => [SAY_BLOCK, bytes]))
    ]
  },
  generate: (chance) => script(...chance.some(9, () => anyDeed(chance))),
  async run(input) {
    const attack = await Attack.begin()
    for (const deed of deedsOf(input)) await attack.do(deed)
    return await attack.end()
  }
}

function script(...deeds: ReadonlyArray<[number, Uint8Array]>): Uint8Array {
  return join(
    ...deeds.map(([kind, bytes]) => join(Uint8Array.of(kind, bytes.length & 255, bytes.length >> 8), bytes))
  )
}

function deedsOf(input: Uint8Array): Deed[] {
  const deeds: Deed[] = []
  for (let at = 0; at < input.length && deeds.length < DEEDS_MAX; ) {
    const [kind = 0, low = 0, high = 0] = input.subarray(at, at + 3)
    const length = low + 256 * high
    deeds.push({ kind: kind % KINDS, bytes: input.subarray(at + 3, at + 3 + length) })
    at += 3 + length
  }
  return deeds
}

function anyDeed(chance: Chance): [number, Uint8Array] {
  const kind = chance.pick([
    SAY,
    SAY_BLOCK,
    SAY_BLOCK,
    SAY_BLOCK,
    NAME_BLOCK,
    OPEN_STREAM,
    ANSWER,
    WAIT,
    WRITE,
    RECONNECT
  ])
  return [kind, payload(chance, kind)]
}

function payload(chance: Chance, kind: number): Uint8Array {
  if (kind === SAY) return broadcast(chance)
  if (kind === SAY_BLOCK || kind === NAME_BLOCK) {
    return chance.percent(30) ? chance.pick(chance.percent(50) ? linkTargets : goldenBlocks) : block(chance)
  }
  if (kind === OPEN_STREAM) {
    return join(frame(goodRequests[0]!), ...chance.some(3, () => anyFrame(chance, anyRequest(chance))))
  }
  if (kind === ANSWER) {
    return join(frame(goodResponses[0]!), ...chance.some(4, () => anyFrame(chance, anyResponse(chance))))
  }
  return chance.bytes(chance.below(12))
}

/** A store, and the peer that attacks it. */
class Attack {
  readonly #clock = new FakeClock()
  readonly #victim = new FakeLibp2p('victim')
  readonly #attacker = new FakeLibp2p('attacker')
  readonly #pubsub = new FakePubSub()
  readonly #datastore = new AtomicMemory()
  readonly #answers: Uint8Array[] = []
  readonly #reading: Array<Promise<void>> = []
  #store!: CrdtDatastore
  #written = 0

  static async begin(): Promise<Attack> {
    const attack = new Attack()
    attack.#victim.services = { pubsub: attack.#pubsub }
    attack.#attacker.handlers.set(SYNC_PROTOCOL, ({ stream }) => {
      const bytes = attack.#answers.shift()
      if (bytes === undefined) return stream.abort(new Error('reset'))
      void stream.writeRaw(bytes).then(() => stream.endRaw(), ignore)
      attack.#drain(stream)
    })
    attack.#store = await createCrdtDatastore({
      ...{ datastore: attack.#datastore, atomicBatch: true, topic: TOPIC, libp2p: attack.#victim },
      ...{ clock: attack.#clock, random: () => 0.5, gapPatienceMs: GAP_PATIENCE_MS, start: false }
    })
    await attack.#clock.during(attack.#store.start())
    attack.#attacker.connect(attack.#victim)
    return attack
  }

  async do({ kind, bytes }: Deed): Promise<void> {
    if (kind === SAY) this.#pubsub.deliver('attacker', bytes, TOPIC)
    else if (kind === SAY_BLOCK || kind === NAME_BLOCK) {
      const id = blockId(bytes)
      const head = kind === SAY_BLOCK ? { id, dagName: '', block: bytes } : { id, dagName: 'red' }
      this.#pubsub.deliver('attacker', encodeBroadcast([head]), TOPIC)
    } else if (kind === OPEN_STREAM) await this.#open(bytes)
    else if (kind === ANSWER) this.#answers.push(bytes)
    else if (kind === WAIT) await this.#clock.advance(500 * (1 + bytes.length))
    else if (kind === WRITE) await this.#write(bytes)
    else {
      this.#attacker.disconnect(this.#victim)
      if (bytes.length % 2 === 0) this.#victim.connect(this.#attacker)
      else this.#attacker.connect(this.#victim)
    }
    await this.#clock.settle()
  }

  /** Lets the store come to rest, and looks at everything. @returns the class of what came of it. */
  async end(): Promise<string> {
    await this.#clock.advance(30 * GAP_PATIENCE_MS)
    await this.#write(utf8('at the end'))
    await this.#expectOracle()
    const { counters, nodes, gaps, deferred, pending, wanted } = await this.#store.stats()
    await this.#clock.during(this.#store.close())
    demand(this.#victim.openStreams().length === 0, 'A stream stays open')
    demand(this.#clock.timers === 0, 'A timer is left')
    await Promise.all(this.#reading)
    const { oddBlocks, foreignLinks, invalidBroadcasts, invalidHeads, mismatchedBlocks, failedPulls } =
      counters
    return [
      ...[nodes, gaps, deferred, pending, wanted].map(few),
      ...[oddBlocks, foreignLinks, invalidBroadcasts, invalidHeads, mismatchedBlocks, failedPulls].map(
        (count) => (count === 0 ? 0 : 1)
      )
    ].join(' ')
  }

  async #open(bytes: Uint8Array): Promise<void> {
    const connection = this.#attacker.connections[0]
    const stream = await connection?.newStream(SYNC_PROTOCOL)
    if (stream === undefined) return
    await stream.writeRaw(bytes).catch(ignore)
    stream.endRaw()
    this.#drain(stream)
  }

  #drain({ source }: { source: AsyncIterable<Uint8Array> }): void {
    const drain = async (): Promise<void> => {
      for await (const _ of source);
    }
    this.#reading.push(drain().catch(ignore))
  }

  /** A write of the store's own user must work at any time, and be what is read after it. */
  async #write(value: Uint8Array): Promise<void> {
    const key = new Key(`/own/${value.length % 3}`)
    await this.#clock.during(this.#store.put(key, value))
    demandSame(new Uint8Array(await this.#store.get(key)), value, 'What was written and what is read')
    if (++this.#written % 3 === 0) await this.#clock.during(this.#store.delete(key))
  }

  async #expectOracle(): Promise<void> {
    const blocks: Uint8Array[] = []
    for await (const { key, value } of this.#datastore.query({ prefix: '/crdt/b/' })) {
      blocks.push(decodeLog(key.toString(), value).bytes as Uint8Array)
    }
    const expected = oracle(blocks)
    const shown = new Map<string, Uint8Array>()
    for await (const { key, value } of this.#store.query({})) shown.set(key.toString(), value)
    demandSame([...shown].sort(byKey), [...expected.state].sort(byKey), 'The values and those of the oracle')
    const heads = new Map<string, string[]>()
    for (const { cid, dagName } of await this.#store.heads()) {
      heads.set(dagName, [...(heads.get(dagName) ?? []), cid.toString()].sort())
    }
    demandSame([...heads].sort(byKey), [...expected.heads].sort(byKey), 'The heads and those of the oracle')
    const { nodes, deferred } = await this.#store.stats()
    demandSame([nodes, deferred], [expected.nodes, expected.deferred], 'The counts and those of the oracle')
  }
}

const ignore = (): void => {}

const byKey = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : 1)

// One history from several scripted peers: who is asked for what, what is handed on, and what waits.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PulledBatch } from '../../src/libp2p/sync/client.ts'
import { DividedPull, type DividedPullInit } from '../../src/libp2p/sync/divided-pull.ts'
import { Spans } from '../../src/libp2p/sync/spans.ts'
import { SyncError } from '../../src/libp2p/sync/sync-error.ts'
import { defaultLimits, type LimitName } from '../../src/options.ts'
import { VirtualClock } from '../../src/testkit/virtual-clock.ts'

const BLOCK_BYTES = 100
const FRAME_ROWS = 10
const LIMITS = {
  syncDivideNodesMin: 400,
  syncLanesMax: 4,
  /** A share of 100 blocks for each lane. */
  syncAheadBytesMax: 4 * 100 * BLOCK_BYTES,
  pullStallMs: 1000
}

/** From this name on blocks are large. */
const LARGE_FROM = 10_000
const LARGE_BYTES = 2000

const sizeOf = (name: number): number => (name < LARGE_FROM ? BLOCK_BYTES : LARGE_BYTES)

/** The block of a row; the names of rows are what is compared. */
function block(name: number): Uint8Array {
  const bytes = new Uint8Array(sizeOf(name))
  new DataView(bytes.buffer).setUint32(0, name)
  return bytes
}

function nameOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
}

/** Far more requests than any history here takes. */
const ASKED_MAX = 1000

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)

/** Names as runs of numbers that follow each other, which a person can read. */
function runs(names: readonly number[]): string {
  const found: Array<[first: number, last: number]> = []
  for (const name of names) {
    const run = found.at(-1)
    if (run !== undefined && name === run[1] + 1) run[1] = name
    else found.push([name, name])
  }
  return found.map(([first, last]) => `${first}-${last}`).join(' ')
}

interface FakePeer {
  /** The names of its rows; a hole is a row that is not sent. */
  log: Array<number | undefined>
  frameMs: number
  /** What it claims to have, if that is not what it has. */
  claims?: number
  /** Where its streams break, and what happens there. */
  breaksAt?: number
  breaks?: 'dies' | 'stalls'
  /** It does not know where to end. */
  isOld?: boolean
  /** Its stream leaves something out, so that no row tells a place. */
  hasGround?: boolean
}

class Stage {
  readonly clock = new VirtualClock()
  readonly controller = new AbortController()
  readonly peers: Record<string, FakePeer>
  readonly asked: Array<{ peer: string; after: number; until: number }> = []
  readonly handedOn: Array<{ from: string; name: number }> = []
  readonly cursors: Array<number | undefined> = []
  /** Streams that are open. */
  open = 0
  /** Bytes that were read and are not handed on, now and at most. */
  readonly ahead = new Set<number>()
  aheadMax = 0
  /** How long the consumer takes for a hand of blocks. */
  takesMs = 0
  /** Whether what was handed on is merged at once, or never. */
  merges = true
  mayHaveOthers = true
  joined = 0
  error: unknown
  readonly #cameOnce = new Set<number>()
  readonly #resume: DividedPullInit['resume']

  constructor(peers: Record<string, FakePeer>, resume?: DividedPullInit['resume']) {
    this.peers = peers
    this.#resume = resume
  }

  async run(limits: Partial<Record<LimitName, number>> = {}): Promise<this> {
    const pull = new DividedPull(this.#init({ ...defaultLimits, ...LIMITS, ...limits }))
    await this.clock.during(this.#take(pull), { withinMs: 3_600_000 })
    await this.clock.settle()
    expect(this.open).toBe(0)
    return this
  }

  get runs(): string {
    return runs(this.names)
  }

  get names(): number[] {
    return this.handedOn.map(({ name }) => name)
  }

  countFrom(peer: string): number {
    return this.handedOn.filter(({ from }) => from === peer).length
  }

  /** Ids that were handed on more than once. */
  get duplicates(): number {
    return this.names.length - new Set(this.names).size
  }

  #init(limits: DividedPullInit['limits']): DividedPullInit {
    const lastOf = ({ claims, log }: FakePeer): number => claims ?? log.length
    const asked = this.peers.alice as FakePeer
    return {
      ...{ peer: 'alice', resume: this.#resume, last: lastOf(asked), limits, clock: this.clock },
      signal: this.controller.signal,
      open: (until, signal) => {
        const isPlaced = asked.hasGround !== true && (this.#resume?.generation ?? 'alice') === 'alice'
        return this.#stream('alice', this.#resume?.sequence ?? 0, isPlaced ? until : 0, signal)
      },
      rows: (peer, after, until, signal) => this.#stream(peer, after, until, signal),
      others: () =>
        Object.entries(this.peers).flatMap(([name, peer]) =>
          name === 'alice' ? [] : [[name, lastOf(peer)] as const]
        ),
      mayHaveOthers: () => this.mayHaveOthers,
      joined: () => {
        this.joined++
      },
      merged: () => (this.merges ? this.handedOn.length : 0)
    }
  }

  async #take(pull: DividedPull): Promise<void> {
    try {
      for await (const { from, blocks, cursor } of pull.run()) {
        for (const bytes of blocks) this.handedOn.push({ from, name: nameOf(bytes) })
        for (const bytes of blocks) this.#cameOnce.add(nameOf(bytes))
        this.cursors.push(cursor?.sequence)
        for (const bytes of blocks) this.ahead.delete(nameOf(bytes))
        if (this.takesMs > 0) await this.#pass(this.takesMs)
      }
    } catch (error) {
      this.error = error
    }
  }

  #pass(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.clock.setTimeout(resolve, ms)
      signal?.addEventListener('abort', () => reject(signal.reason))
    })
  }

  async *#stream(
    name: string,
    after: number,
    until: number,
    signal: AbortSignal
  ): AsyncGenerator<PulledBatch> {
    this.asked.push({ peer: name, after, until })
    // Whoever is asked again and again without any time in between would be asked for ever.
    if (this.asked.length > ASKED_MAX) this.controller.abort(new Error('asked for ever'))
    const peer = this.peers[name] as FakePeer
    const end = until > 0 && peer.isOld !== true ? Math.min(until, peer.log.length) : peer.log.length
    const cursor = (sequence: number) =>
      peer.hasGround === true ? {} : { cursor: { generation: name, sequence } }
    this.open++
    try {
      for (let row = after; row < end; row += FRAME_ROWS) {
        const last = Math.min(row + FRAME_ROWS, end)
        if (peer.breaks !== undefined && last >= (peer.breaksAt ?? 0)) {
          if (peer.breaks === 'stalls') await this.#pass(10_000, signal)
          throw new SyncError('closed', `${name} is gone`)
        }
        await this.#pass(peer.frameMs, signal)
        const blocks = peer.log.slice(row, last).flatMap((each) => (each === undefined ? [] : [block(each)]))
        // What overlaps was handed on before.
        for (const name of blocks.map(nameOf)) if (!this.#cameOnce.has(name)) this.ahead.add(name)
        const bytes = [...this.ahead].reduce((sum, name) => sum + sizeOf(name), 0)
        this.aheadMax = Math.max(this.aheadMax, bytes)
        if (blocks.length > 0) yield { blocks, ...cursor(last) }
      }
      await this.#pass(1, signal)
      yield { blocks: [], ...cursor(end) }
    } finally {
      this.open--
    }
  }
}

const ROWS = 2000
const WHOLE = `1-${ROWS}`
const same = (frameMs = 10): FakePeer => ({ log: upTo(ROWS), frameMs })

describe('a history', () => {
  test('of one peer is one stream to its end', async () => {
    const stage = new Stage({ alice: same() })
    stage.mayHaveOthers = false
    await stage.run()
    expect(stage.asked).toEqual([{ peer: 'alice', after: 0, until: 0 }])
    expect(stage.runs).toBe(WHOLE)
    expect(stage.cursors.filter((row) => row !== undefined).at(-1)).toBe(ROWS)
    // What it sends is read when it is asked for: a frame waits, and no more.
    expect(stage.aheadMax).toBeLessThanOrEqual(2 * FRAME_ROWS * BLOCK_BYTES)
  })

  test('comes in its order from all who have it, in a fraction of the time', async () => {
    const took: number[] = []
    for (const names of [['alice'], ['alice', 'bob'], ['alice', 'bob', 'carol']]) {
      const stage = await new Stage(Object.fromEntries(names.map((name) => [name, same()]))).run()
      expect(stage.runs).toBe(WHOLE)
      for (const name of names) expect(stage.countFrom(name)).toBeGreaterThan((ROWS / names.length) * 0.7)
      took.push(stage.clock.now())
    }
    const [one = 0, two = 0, three = 0] = took
    expect(one / two).toBeGreaterThan(1.7)
    expect(one / three).toBeGreaterThan(2.3)
  })

  test('is taken from no more peers than may be', async () => {
    const peers = Object.fromEntries(['alice', 'bob', 'carol', 'dave'].map((name) => [name, same()]))
    const stage = await new Stage(peers).run({ syncLanesMax: 2 })
    expect(new Set(stage.asked.map(({ peer }) => peer)).size).toBe(2)
    expect(stage.joined).toBe(1)
  })

  test('is not divided while this replica is what is slow', async () => {
    const busy = new Stage({ alice: same(), bob: same() })
    busy.takesMs = 20
    await busy.run()
    expect(busy.countFrom('bob')).toBe(0)
    const behind = new Stage({ alice: same(), bob: same() })
    behind.merges = false
    await behind.run()
    expect(behind.countFrom('bob')).toBe(0)
    expect(behind.runs).toBe(WHOLE)
  })

  test('that is streamed without an end is cut where it is divided, and what goes beyond is not handed on', async () => {
    const stage = new Stage({ alice: same(), bob: same() })
    stage.mayHaveOthers = false
    await stage.run()
    expect(stage.asked[0]).toEqual({ peer: 'alice', after: 0, until: 0 })
    expect(stage.runs).toBe(WHOLE)
    expect(stage.countFrom('bob')).toBeGreaterThan(ROWS / 3)
  })

  test('goes on where a stream was interrupted, but not by the rows of another generation', async () => {
    const resume = { generation: 'alice', sequence: 500 }
    const stage = await new Stage({ alice: same(), bob: same() }, resume).run()
    expect(stage.runs).toBe('501-2000')
    expect(stage.countFrom('bob')).toBeGreaterThan(400)
    const other = await new Stage({ alice: same(), bob: same() }, { ...resume, generation: 'older' }).run()
    expect(other.countFrom('bob')).toBe(0)
    expect(other.runs).toBe('501-2000')
  })

  test('with something in common is not divided, since no row tells where one is', async () => {
    const stage = await new Stage({ alice: { ...same(), hasGround: true }, bob: same() }).run()
    expect(stage.runs).toBe(WHOLE)
    expect(stage.asked).toHaveLength(1)
  })

  test('leaves a place to go on from only as far as the asked peer sent all itself', async () => {
    const stage = await new Stage({ alice: same(), bob: same() }).run()
    const firstOfBob = stage.handedOn.findIndex(({ from }) => from === 'bob')
    const known = stage.cursors.filter((row) => row !== undefined)
    expect(Math.max(...known)).toBeLessThanOrEqual(firstOfBob)
    // None comes back once there was none.
    expect(stage.cursors.slice(stage.cursors.indexOf(undefined)).every((row) => row === undefined)).toBe(true)
  })

  test('waits in memory within its bound, however slow the first peer and the consumer', async () => {
    const peers = { alice: same(200), bob: same(1), carol: same(1), dave: same(1) }
    const bound = LIMITS.syncAheadBytesMax + LIMITS.syncLanesMax * FRAME_ROWS * BLOCK_BYTES
    for (const takesMs of [0, 50]) {
      const stage = new Stage(peers)
      stage.takesMs = takesMs
      await stage.run()
      expect(stage.runs).toBe(WHOLE)
      expect(stage.aheadMax).toBeLessThanOrEqual(bound)
    }
  })

  test('whose blocks grow waits within its bound as well, though spans are counted in rows', async () => {
    const log = [...upTo(600), ...upTo(ROWS - 600).map((name) => name + LARGE_FROM)]
    const peers = { alice: { log, frameMs: 50 }, bob: { log, frameMs: 30 }, carol: { log, frameMs: 30 } }
    const stage = await new Stage(peers).run()
    expect(stage.names).toEqual(log)
    expect(stage.countFrom('bob')).toBeGreaterThan(ROWS / 5)
    const frames = LIMITS.syncLanesMax * FRAME_ROWS * LARGE_BYTES
    expect(stage.aheadMax).toBeLessThanOrEqual(LIMITS.syncAheadBytesMax + frames)
  })

  test('ends with the reason of its signal, and every stream with it', async () => {
    const stage = new Stage({ alice: same(), bob: same() })
    stage.clock.setTimeout(() => stage.controller.abort(new Error('never mind')), 700)
    await stage.run()
    expect(stage.error).toEqual(new Error('never mind'))
    expect(stage.countFrom('bob')).toBeGreaterThan(0)
    expect(stage.clock.now()).toBe(700)
  })
})

describe('a peer', () => {
  test.each(['alice', 'bob'])('that breaks off is left to the others: %s', async (name) => {
    const peers: Record<string, FakePeer> = { alice: same(), bob: same(), carol: same() }
    peers[name] = { ...same(), breaks: 'dies', breaksAt: 900 }
    const stage = await new Stage(peers).run()
    expect(stage.error).toBeUndefined()
    expect(stage.runs).toBe(WHOLE)
  })

  test.each(['alice', 'bob'])(
    'that stalls holds the others up for half of the stall time, and not longer: %s',
    async (name) => {
      const peers: Record<string, FakePeer> = { alice: same(), bob: same(), carol: same() }
      const whole = (await new Stage(peers).run()).clock.now()
      peers[name] = { ...same(), breaks: 'stalls', breaksAt: 900 }
      const stage = await new Stage(peers).run()
      expect(stage.runs).toBe(WHOLE)
      // The other two do the third one's work, and half of the stall time is lost.
      expect(stage.clock.now()).toBeLessThan(1.5 * whole + LIMITS.pullStallMs)
    }
  )

  test('that is much slower than the others has its part taken over', async () => {
    const stage = await new Stage({ alice: same(500), bob: same(), carol: same() }).run()
    expect(stage.runs).toBe(WHOLE)
    expect(stage.clock.now()).toBeLessThan(ROWS * 5)
  })

  test('that fails when nobody else is left fails the pull with its reason', async () => {
    const stage = await new Stage({ alice: { ...same(), breaks: 'dies', breaksAt: 900 } }).run()
    expect(stage.error).toMatchObject({ reason: 'closed', message: 'alice is gone' })
    expect(stage.names).toEqual(upTo(stage.names.length))
    expect(stage.names.length).toBeGreaterThan(880)
  })

  test('that does not know where to end is ended', async () => {
    const stage = await new Stage({
      alice: { ...same(), isOld: true },
      bob: { ...same(), isOld: true }
    }).run()
    expect(stage.runs).toBe(WHOLE)
    expect(stage.countFrom('bob')).toBeGreaterThan(ROWS / 3)
  })

  test('that has less than it claims is asked for no more than it has', async () => {
    const bob = { log: upTo(700), claims: ROWS, frameMs: 10 }
    const stage = await new Stage({ alice: same(), bob }).run()
    expect(stage.error).toBeUndefined()
    expect(stage.runs).toBe(WHOLE)
  })

  test('that has another history is found out before any of it is handed on', async () => {
    const bob = { log: upTo(ROWS).map((name) => name + ROWS), frameMs: 10 }
    const stage = await new Stage({ alice: same(), bob }).run()
    expect(stage.countFrom('bob')).toBe(0)
    expect(stage.runs).toBe(WHOLE)
  })

  test('whose history has two branches the other way round is found out, and the asked one is believed', async () => {
    const [x, y] = [upTo(1000), upTo(1000).map((name) => name + 1000)]
    const peers = { alice: { log: [...x, ...y], frameMs: 10 }, bob: { log: [...y, ...x], frameMs: 10 } }
    const stage = await new Stage(peers).run()
    expect(stage.runs).toBe(WHOLE)
    // It fits where the pull is divided first, and not where the asked peer goes on.
    const later = {
      log: [...upTo(500), ...upTo(ROWS).slice(1000), ...upTo(ROWS).slice(500, 1000)],
      frameMs: 10
    }
    const mixed = await new Stage({ alice: same(), bob: later }).run()
    expect(new Set(mixed.names).size).toBe(ROWS)
    expect(mixed.error).toBeUndefined()
  })

  test('that sends nothing when it is its turn is asked once', async () => {
    // Bob has sent all that may wait when alice goes, so that carol, who had nothing to do yet, is the next to be asked.
    const [alice, carol] = [150, 0].map((breaksAt) => ({ ...same(100), breaks: 'dies' as const, breaksAt }))
    const peers = { alice: alice as FakePeer, bob: same(1), carol: carol as FakePeer }
    const stage = await new Stage(peers).run({ pullStallMs: 60_000 })
    expect(stage.error).toBeUndefined()
    expect(stage.runs).toBe(WHOLE)
    expect(stage.asked.filter(({ peer }) => peer === 'carol')).toHaveLength(1)
  })

  test('that was left because it was slow is asked again when nobody else is left', async () => {
    const bob = { ...same(1), breaks: 'dies' as const, breaksAt: 1500 }
    const stage = await new Stage({ alice: same(200), bob }).run()
    expect(stage.error).toBeUndefined()
    expect(stage.runs).toBe(WHOLE)
    expect(stage.countFrom('bob')).toBeGreaterThan(1000)
  })
})

describe('a span that is given back', () => {
  test('leaves what came of it, and the rest to others', () => {
    const spans = new Spans(0, 100, 1000)
    const span = spans.cut(50)
    span.begin('bob', 0)
    span.add({ blocks: upTo(20).map(block), cursor: { generation: 'bob', sequence: 20 } }, true)
    spans.giveBack(span)
    expect(spans.front).toBe(span)
    expect([span.end, span.isComplete]).toEqual([20, true])
    const rest = spans.find(({ isComplete }) => !isComplete)
    expect([rest?.start, rest?.end]).toEqual([21, 50])
  })

  test('leaves nothing where nothing came: who is next would wait behind it for room, and be excused for that', () => {
    const spans = new Spans(0, 100, 1000)
    const span = spans.cut(50)
    span.begin('bob', 0)
    spans.giveBack(span)
    expect(spans.front).not.toBe(span)
    expect([spans.front?.start, spans.front?.end, spans.front?.isComplete]).toEqual([1, 50, false])
  })
})

describe('whatever the peers are', () => {
  const peer = fc.record({
    frameMs: fc.integer({ min: 1, max: 300 }),
    breaks: fc.option(fc.constantFrom('dies' as const, 'stalls' as const), { nil: undefined }),
    breaksAt: fc.nat(ROWS),
    isOld: fc.boolean(),
    window: fc.constantFrom(1, 1, 3)
  })

  test('all of it comes as long as the asked peer can send it, within the bound, and no stream is left', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(peer, { minLength: 1, maxLength: 4 }),
        fc.constantFrom(0, 5, 40),
        fc.boolean(),
        // Rows of DAGs that this replica ignores are sent by nobody.
        fc.constantFrom(0, 0, 2, 7),
        async (others, takesMs, mayHaveOthers, holes) => {
          const [asked, ...helpers] = others.map(({ window, breaks, ...rest }) => ({
            ...rest,
            ...(breaks === undefined ? {} : { breaks }),
            log: logOf(window, holes)
          })) as [FakePeer, ...FakePeer[]]
          delete asked.breaks
          const names = ['bob', 'carol', 'dave']
          const stage = new Stage({
            alice: asked,
            ...Object.fromEntries(helpers.map((helper, index) => [names[index] as string, helper]))
          })
          stage.takesMs = takesMs
          stage.mayHaveOthers = mayHaveOthers
          await stage.run()
          expect(stage.error).toBeUndefined()
          const came = new Set(stage.names)
          const lacking = asked.log.filter((name) => name !== undefined && !came.has(name))
          expect(lacking.length).toBe(0)
          // Of what peers send beyond the end of a span nothing waits, but it is counted here until it comes again.
          expect(stage.aheadMax).toBeLessThanOrEqual(LIMITS.syncAheadBytesMax + 10 * FRAME_ROWS * BLOCK_BYTES)
        }
      ),
      { numRuns: 60 }
    )
  }, 60_000)

  /** The history with neighbours out of place, and without every so-manieth row. */
  function logOf(window: number, holes: number): Array<number | undefined> {
    const log: Array<number | undefined> = upTo(ROWS)
    if (holes > 0) for (let row = 3; row < ROWS; row += holes) log[row] = undefined
    for (let start = 0; start + window <= ROWS; start += window) {
      log.splice(start, window, ...log.slice(start, start + window).reverse())
    }
    return log
  }
})

/**
 * The acceptance suite of broadcasters: what the engine relies on, as the comments of the port say it.
 *
 * Invariant: gossip may be lost, doubled and late, so that no test expects a message to be heard once, or at the first
 * time that it is said.
 */
import assert from 'node:assert/strict'
import { LIMITS } from '../../options.ts'
import type { Broadcaster, PeerName } from '../../replica/ports.ts'
import { settled, type TestRunner, type Until, untilInRealTime } from './runner.ts'

/** Broadcasters of one topic, each at a node of its own, which are or will be connected to each other. */
export interface BroadcasterGroup {
  /** As many as were asked for, none of them started; the name is the one by which others hear it. */
  members: ReadonlyArray<{ name: PeerName; broadcaster: Broadcaster }>
  /** Ends the nodes. The suite has stopped the broadcasters by then. */
  end(): Promise<void>
  /**
   * How to wait.
   *
   * @default in real time, for 10 seconds at most
   */
  until?: Until
  /** What the member of this place left running or registered, in words; for a check that `stop` ends all. */
  leftBehind?(place: number): string[]
  /**
   * Whether `broadcast` can know that nobody listens. One that cannot says that somebody may have heard.
   *
   * @default true
   */
  tellsIfUnheard?: boolean
}

/** Messages by which a group is tried. */
interface Heard {
  messages: Array<{ bytes: Uint8Array; from: PeerName }>
  receive(message: Uint8Array, from: PeerName): void
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

function listener(): Heard {
  const messages: Heard['messages'] = []
  return { messages, receive: (bytes, from) => void messages.push({ bytes, from }) }
}

class Group {
  readonly until: Until
  readonly init: BroadcasterGroup

  constructor(init: BroadcasterGroup) {
    this.init = init
    this.until = init.until ?? untilInRealTime
  }

  name(place: number): PeerName {
    return this.#member(place).name
  }

  broadcaster(place: number): Broadcaster {
    return this.#member(place).broadcaster
  }

  async start(place: number, heard = listener()): Promise<Heard> {
    await settled(this.until, this.broadcaster(place).start(heard.receive))
    return heard
  }

  async stop(place: number): Promise<void> {
    await settled(this.until, this.broadcaster(place).stop())
  }

  async say(place: number, message: Uint8Array): Promise<boolean> {
    return await settled(this.until, this.broadcaster(place).broadcast(message))
  }

  /** Says a message until all of them have heard it. */
  async sayTo(place: number, message: Uint8Array, listeners: readonly Heard[]): Promise<void> {
    const isHeard = (): boolean =>
      listeners.every(({ messages }) => messages.some(({ bytes }) => same(bytes, message)))
    await this.until(async () => {
      if (isHeard()) return true
      await this.broadcaster(place).broadcast(message)
      return isHeard()
    })
  }

  #member(place: number): BroadcasterGroup['members'][number] {
    const member = this.init.members[place]
    assert.ok(member, `The setup made no member ${place}`)
    return member
  }
}

/**
 * Defines the tests that a `Broadcaster` has to pass to be used by a store.
 *
 * @param runner - `{ describe, it }` of the test runner.
 * @param setup - makes a group of so many members, from one to three; called once for each test.
 */
export function testBroadcaster(
  runner: TestRunner,
  setup: (count: number) => Promise<BroadcasterGroup>
): void {
  const inGroup = (name: string, count: number, run: (group: Group) => Promise<void>): void => {
    runner.it(name, async () => {
      const group = new Group(await setup(count))
      try {
        await run(group)
        for (let place = 0; place < count; place++) await group.stop(place)
      } finally {
        await group.init.end()
      }
    })
  }
  runner.describe('a broadcaster', () => {
    testDelivery(inGroup)
    testBytes(inGroup)
    testStopping(inGroup)
  })
}

type InGroup = (name: string, count: number, run: (group: Group) => Promise<void>) => void

function testDelivery(inGroup: InGroup): void {
  inGroup('delivers what others say, with their names', 3, async (group) => {
    const [alice, bob, carol] = [await group.start(0), await group.start(1), await group.start(2)]
    await group.sayTo(0, bytesOf('of alice'), [bob, carol])
    await group.sayTo(1, bytesOf('of bob'), [alice, carol])
    for (const { messages } of [alice, bob, carol]) {
      for (const { bytes, from } of messages) {
        assert.ok(bytes instanceof Uint8Array, 'a message is a Uint8Array')
        const speaker = new TextDecoder().decode(bytes) === 'of alice' ? 0 : 1
        assert.equal(from, group.name(speaker), 'the name is that of who said it')
      }
    }
  })

  inGroup('does not deliver what was said by itself', 2, async (group) => {
    const [alice, bob] = [await group.start(0), await group.start(1)]
    await group.sayTo(0, bytesOf('of alice'), [bob])
    // What bob says after it comes to alice after her own words would have come.
    await group.sayTo(1, bytesOf('of bob'), [alice])
    assert.deepEqual([...new Set(alice.messages.map(({ from }) => from))], [group.name(1)])
  })

  inGroup('tells that somebody may have heard, once others listen', 2, async (group) => {
    await group.start(0)
    const bob = await group.start(1)
    await group.until(async () => await group.broadcaster(0).broadcast(bytesOf('anybody?')))
    await group.sayTo(0, bytesOf('anybody?'), [bob])
  })

  inGroup('takes it for no error that nobody listens, and tells so', 1, async (group) => {
    await group.start(0)
    const isHeard = await group.say(0, bytesOf('anybody?'))
    assert.equal(typeof isHeard, 'boolean')
    if (group.init.tellsIfUnheard !== false) assert.equal(isHeard, false, 'what nobody heard is not said')
  })

  inGroup('says several messages at once, each of them whole', 2, async (group) => {
    await group.start(0)
    const bob = await group.start(1)
    await group.sayTo(0, bytesOf('first'), [bob])
    const said = Array.from({ length: 20 }, (_, index) => bytesOf(`${index} `.repeat(index + 1)))
    await settled(group.until, Promise.all(said.map((message) => group.broadcaster(0).broadcast(message))))
    for (const message of said) await group.sayTo(0, message, [bob])
    for (const { bytes } of bob.messages) {
      const isOneOfThem = same(bytes, bytesOf('first')) || said.some((message) => same(message, bytes))
      assert.ok(isOneOfThem, 'only what was said is heard')
    }
  })
}

function testBytes(inGroup: InGroup): void {
  const largest = LIMITS.broadcastBytesMax.default
  for (const length of [1, largest]) {
    inGroup(`carries a message of ${length} bytes unchanged`, 2, async (group) => {
      await group.start(0)
      const bob = await group.start(1)
      const message = Uint8Array.from({ length }, (_, index) => (index * 7) % 251)
      const copy = message.slice()
      await group.sayTo(0, message, [bob])
      assert.ok(same(message, copy), 'the bytes that were given are as they were')
    })
  }

  inGroup('is done with the bytes that it was given when it has said them', 2, async (group) => {
    await group.start(0)
    const bob = await group.start(1)
    await group.sayTo(0, bytesOf('first'), [bob])
    for (let round = 0; round < 5; round++) {
      const message = bytesOf(`round ${round}`)
      await group.say(0, message)
      message.fill(0)
    }
    await group.sayTo(0, bytesOf('last'), [bob])
    for (const { bytes } of bob.messages) {
      assert.match(new TextDecoder().decode(bytes), /^(first|round \d|last)$/, 'only what was said is heard')
    }
  })
}

function testStopping(inGroup: InGroup): void {
  inGroup('delivers nothing after it was stopped', 3, async (group) => {
    await group.start(0)
    const [bob, carol] = [await group.start(1), await group.start(2)]
    await group.sayTo(0, bytesOf('before'), [bob, carol])
    await group.stop(1)
    const count = bob.messages.length
    // What carol hears, bob would have heard by then.
    for (const text of ['after', 'and after']) await group.sayTo(0, bytesOf(text), [carol])
    assert.equal(bob.messages.length, count, 'a receiver that was stopped hears nothing')
  })

  inGroup('does not mind to be stopped twice, or without having been started', 2, async (group) => {
    await group.stop(0)
    await group.start(0)
    const bob = await group.start(1)
    await group.sayTo(0, bytesOf('hello'), [bob])
    await group.stop(0)
    await group.stop(0)
  })

  inGroup('can be started again, and delivers to its new receiver alone', 2, async (group) => {
    await group.start(0)
    const before = await group.start(1)
    await group.sayTo(0, bytesOf('one'), [before])
    await group.stop(1)
    const count = before.messages.length
    const after = await group.start(1)
    await group.sayTo(0, bytesOf('two'), [after])
    assert.equal(before.messages.length, count, 'the old receiver hears nothing')
  })

  inGroup('leaves nothing behind when it is stopped', 2, async (group) => {
    await group.start(0)
    const bob = await group.start(1)
    await group.sayTo(0, bytesOf('hello'), [bob])
    await group.stop(0)
    assert.deepEqual(group.init.leftBehind?.(0) ?? [], [])
  })
}

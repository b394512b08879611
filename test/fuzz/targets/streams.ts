// Streams of libp2p 2 and 3 as one kind of byte stream: fed, read, ended and reset in whatever order and pieces.
//
// The first byte of an input says which libp2p; then each pair of bytes is something that happens.
import { Uint8ArrayList } from 'uint8arraylist'
import { ByteStream } from '../../../src/libp2p/streams.ts'
import { FakeMessageStream } from '../../libp2p/fake-message-stream.ts'
import { settle } from '../../libp2p/manual-clock.ts'
import { demand, few, type Target } from '../target.ts'

const FEED = 0
const FEED_MANY = 1
const READ = 2
const READ_MORE = 3
const WRITE = 4
const END = 5
const RESET = 6
const CLOSE_WRITE = 7

/** The other end of a stream, whatever its kind. */
interface OtherEnd {
  stream: object
  feed(...parts: Uint8Array[]): void
  end(): void
  reset(error: Error): void
}

export const streamsTarget: Target = {
  name: 'streams',
  weight: 5,
  seeds: () => [
    Uint8Array.of(0, FEED, 20, READ, 5, READ, 15, END, 0, READ, 1),
    Uint8Array.of(1, READ, 30, FEED, 20, FEED_MANY, 90, READ, 8, END, 0, READ_MORE, 3),
    Uint8Array.of(0, FEED, 3, END, 0, READ, 9),
    Uint8Array.of(1, WRITE, 4, READ, 9, RESET, 0, WRITE, 1, CLOSE_WRITE, 0)
  ],
  generate(chance) {
    const kinds = [
      FEED,
      FEED,
      FEED_MANY,
      READ,
      READ,
      READ_MORE,
      WRITE,
      chance.pick([END, RESET, CLOSE_WRITE])
    ]
    const pairs = chance.some(40, () => [
      chance.pick(kinds),
      chance.percent(80) ? chance.below(30) : chance.below(256)
    ])
    return Uint8Array.of(chance.below(2), ...pairs.flat())
  },
  async run(input) {
    const reader = new Scenario((input[0] ?? 0) % 2 === 0 ? duplexEnd() : messageEnd())
    for (let at = 1; at + 1 < input.length; at += 2) await reader.happen(input[at]! % 8, input[at + 1]!)
    return await reader.end()
  }
}

/** What happens to one stream, and what must come of it. */
class Scenario {
  readonly #other: OtherEnd
  readonly #bytes: ByteStream
  /** Each byte is its position, so that what is read tells where it was. */
  #fed = 0
  #read = 0
  #wanted = 0
  #closed: 'ended' | 'reset' | undefined
  /** One read at a time, as a channel has it. */
  #reading: Promise<void> | undefined
  readonly #waits = new Set<Promise<unknown>>()
  readonly #outcomes = new Set<string>()

  constructor(other: OtherEnd) {
    this.#other = other
    this.#bytes = new ByteStream(other.stream)
  }

  async happen(kind: number, size: number): Promise<void> {
    if (kind === FEED) this.#feed(size)
    else if (kind === FEED_MANY) for (let left = size; left > 0; left--) this.#feed(left % 3)
    else if (kind === READ || kind === READ_MORE) this.#startRead(1 + (kind === READ ? size : 997 * size))
    else if (kind === WRITE) this.#wait('write', this.#bytes.write(new Uint8Array(size)))
    else if (kind === CLOSE_WRITE) this.#wait('close', this.#bytes.closeWrite())
    else if (this.#closed === undefined) {
      this.#closed = kind === END ? 'ended' : 'reset'
      if (kind === END) this.#other.end()
      else this.#other.reset(new Error('reset'))
    }
    await settle()
    const isThere = this.#fed - this.#read >= this.#wanted
    demand(this.#reading === undefined || !isThere, 'A read waits for what is there')
    demand(
      this.#reading === undefined || this.#closed === undefined,
      'A read waits for a stream that is over'
    )
  }

  async end(): Promise<string> {
    this.#bytes.abort(new Error('over'))
    await settle()
    demand(
      this.#waits.size === 0 && this.#reading === undefined,
      'Something waits for a stream that was aborted'
    )
    return [few(this.#read), this.#closed, ...[...this.#outcomes].sort()].join(' ')
  }

  #feed(...sizes: number[]): void {
    if (this.#closed !== undefined) return
    const parts = sizes.map((size) => Uint8Array.from({ length: size }, () => this.#fed++))
    this.#other.feed(...parts)
  }

  #startRead(count: number): void {
    if (this.#reading !== undefined) return
    this.#wanted = count
    this.#reading = this.#readNow(count).finally(() => {
      this.#reading = undefined
    })
  }

  async #readNow(count: number): Promise<void> {
    let found: Uint8Array | undefined
    try {
      found = await this.#bytes.read(count)
    } catch (error) {
      this.#outcomes.add(error instanceof Error ? error.message : 'thrown')
      // What a broken read took is gone, and nobody reads on after it.
      this.#read = this.#fed
      return
    }
    this.#outcomes.add(found === undefined ? 'no more' : 'read')
    if (found === undefined) return demand(this.#closed !== undefined, 'A stream ends that has not ended')
    demand(found.length === count, 'A read has another length')
    demand(
      found.every((byte, index) => byte === ((this.#read + index) & 255)),
      'What is read is not what was fed'
    )
    this.#read += count
  }

  #wait(what: string, wait: Promise<void>): void {
    const watched = wait.then(
      () => void this.#outcomes.add(`${what} done`),
      () => void this.#outcomes.add(`${what} failed`)
    )
    this.#waits.add(watched)
    void watched.finally(() => this.#waits.delete(watched))
  }
}

function messageEnd(): OtherEnd {
  const stream = new FakeMessageStream()
  return {
    stream,
    feed: (...parts) => stream.receive(...parts),
    end: () => stream.receiveEnd(),
    reset: (error) => stream.abort(error)
  }
}

function duplexEnd(): OtherEnd {
  const chunks: Uint8ArrayList[] = []
  let wake = Promise.withResolvers<void>()
  let over: Error | 'ended' | undefined
  const change = (): void => {
    wake.resolve()
    wake = Promise.withResolvers<void>()
  }
  const close = (how: Error | 'ended'): void => {
    over ??= how
    change()
  }
  async function* source(): AsyncGenerator<Uint8ArrayList> {
    for (;;) {
      const chunk = chunks.shift()
      if (over instanceof Error) throw over
      if (chunk !== undefined) yield chunk
      else if (over !== undefined) return
      else await wake.promise
    }
  }
  const sink = async (written: AsyncIterable<unknown>): Promise<void> => {
    for await (const _ of written) if (over instanceof Error) throw over
  }
  return {
    stream: { source: source(), sink, abort: close },
    feed: (...parts) => {
      chunks.push(new Uint8ArrayList(...parts))
      change()
    },
    end: () => close('ended'),
    reset: close
  }
}

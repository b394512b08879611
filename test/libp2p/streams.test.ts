// One byte stream out of either kind: what is written arrives, in order, and whoever is slow holds the other back.
import fc from 'fast-check'
import { Uint8ArrayList } from 'uint8arraylist'
import { describe, expect, test } from 'vitest'
import { ByteStream } from '../../src/libp2p/streams.ts'
import { FakeMessageStream } from './fake-message-stream.ts'
import { settle } from './manual-clock.ts'

/** A stream of libp2p 2 whose other end is the test. */
class FakeDuplexStream {
  readonly taken: Uint8Array[] = []
  readonly #incoming: Array<Uint8Array | Uint8ArrayList>
  readonly source: AsyncIterable<Uint8Array | Uint8ArrayList>
  sinkEnded = false
  /** What the sink waits for before it takes the next chunk. */
  gate = Promise.resolve()

  constructor(incoming: Array<Uint8Array | Uint8ArrayList> = []) {
    this.#incoming = incoming
    this.source = this.#read()
  }

  async *#read() {
    yield* this.#incoming
  }

  readonly sink = async (source: AsyncIterable<Uint8Array | Uint8ArrayList>): Promise<void> => {
    for await (const chunk of source) {
      this.taken.push(chunk.subarray())
      await this.gate
    }
    this.sinkEnded = true
  }

  abort(): void {}
}

const bytes = (length: number, value = 1): Uint8Array => new Uint8Array(length).fill(value)

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  await settle()
  return (await Promise.race([promise, settle().then(() => 'pending')])) === 'pending'
}

describe('a byte stream', () => {
  test('reads pieces of any size out of chunks of any size', async () => {
    const chunks = fc.array(fc.uint8Array({ minLength: 0, maxLength: 20 }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(
        chunks,
        fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 30 }),
        async (parts, sizes) => {
          const all = Buffer.concat(parts)
          const stream = new ByteStream(new FakeDuplexStream([new Uint8ArrayList(...parts)]))
          let at = 0
          for (const size of sizes) {
            if (at + size > all.length) break
            expect(Buffer.compare((await stream.read(size))!, all.subarray(at, at + size))).toBe(0)
            at += size
          }
          const rest = all.length - at
          if (rest > 0)
            await expect(stream.read(rest + 1)).rejects.toMatchObject({ name: 'StreamEndedError' })
          expect(await stream.read(1)).toBeUndefined()
        }
      )
    )
  })

  test('is refused if it is of neither kind', () => {
    expect(() => new ByteStream({})).toThrow('Neither')
  })
})

describe('a stream of libp2p 3', () => {
  test('is paused while nobody reads, and read on when somebody does', async () => {
    const raw = new FakeMessageStream()
    const stream = new ByteStream(raw)
    raw.receive(bytes(300_000))
    expect(raw.readStatus).toBe('paused')
    raw.receive(bytes(10, 2))
    expect(await stream.read(300_000)).toHaveLength(300_000)
    expect(await stream.read(10)).toEqual(bytes(10, 2))
    expect(raw.readStatus).toBe('readable')
  })

  test('is paused by many tiny chunks too', () => {
    const raw = new FakeMessageStream()
    new ByteStream(raw)
    raw.receive(...Array.from({ length: 100 }, () => bytes(1)))
    expect(raw.readStatus).toBe('paused')
  })

  test('is read to its end though the end came while it was paused', async () => {
    const raw = new FakeMessageStream()
    const stream = new ByteStream(raw)
    raw.receive(bytes(300_000))
    raw.receive(bytes(5))
    raw.receiveEnd()
    expect(await stream.read(300_005)).toHaveLength(300_005)
    expect(await stream.read(1)).toBeUndefined()
  })

  test('may hold a whole window of the muxer when we are the ones who read much', () => {
    const raw = new FakeMessageStream()
    new ByteStream(raw)
    expect(raw.maxReadBufferLength).toBeGreaterThan(16 * 1024 * 1024)
    const inbound = Object.assign(new FakeMessageStream(), { direction: 'inbound' })
    new ByteStream(inbound)
    expect(inbound.maxReadBufferLength).toBe(4 * 1024 * 1024)
  })

  test('lets a writer go on only when it has drained', async () => {
    const raw = new FakeMessageStream()
    const stream = new ByteStream(raw)
    await stream.write(bytes(1))
    raw.full = true
    const writing = stream.write(bytes(2))
    expect(await isPending(writing)).toBe(true)
    raw.drain()
    await writing
    expect(raw.sent.map(({ length }) => length)).toEqual([1, 2])
  })

  test('ends every wait when it is aborted, or the other side resets it', async () => {
    const raw = new FakeMessageStream()
    const stream = new ByteStream(raw)
    raw.full = true
    const waits = [stream.write(bytes(1)), stream.read(1)]
    await settle()
    stream.abort(new Error('enough'))
    for (const wait of waits) await expect(wait).rejects.toThrow('enough')
    await expect(stream.write(bytes(1))).rejects.toThrow('enough')
  })

  test('whose close never comes to an end is closed no longer than until it is aborted', async () => {
    const raw = Object.assign(new FakeMessageStream(), { close: () => new Promise<void>(() => {}) })
    const stream = new ByteStream(raw)
    const closing = stream.closeWrite()
    expect(await isPending(closing)).toBe(true)
    stream.abort(new Error('enough'))
    await expect(closing).rejects.toThrow('enough')
  })

  test('that is dead already says so', async () => {
    const raw = Object.assign(new FakeMessageStream(), { status: 'reset' })
    await expect(new ByteStream(raw).read(1)).rejects.toThrow('reset')
    const ended = Object.assign(new FakeMessageStream(), { status: 'closed', remoteWriteStatus: 'closed' })
    expect(await new ByteStream(ended).read(1)).toBeUndefined()
  })
})

describe('a stream of libp2p 2', () => {
  test('lets a writer go on only when the sink asks for more', async () => {
    const raw = new FakeDuplexStream()
    const { promise, resolve } = Promise.withResolvers<void>()
    raw.gate = promise
    const stream = new ByteStream(raw)
    const writing = stream.write(bytes(3))
    expect(await isPending(writing)).toBe(true)
    expect(raw.taken).toHaveLength(1)
    resolve()
    await writing
    await stream.closeWrite()
    expect(raw.sinkEnded).toBe(true)
  })

  test('ends every wait when it is aborted', async () => {
    const raw = new FakeDuplexStream()
    raw.gate = new Promise(() => {})
    Object.assign(raw, {
      source: (async function* () {
        await new Promise(() => {})
        yield bytes(1)
      })()
    })
    const stream = new ByteStream(raw)
    const waits = [stream.write(bytes(1)), stream.read(1)]
    await settle()
    stream.abort(new Error('enough'))
    for (const wait of waits) await expect(wait).rejects.toThrow('enough')
    await expect(stream.write(bytes(1))).rejects.toThrow('enough')
  })

  // What libp2p 2 does when the connection is lost while it says that nothing more will come.
  test('whose sink never comes to an end is closed no longer than until it is aborted', async () => {
    const raw = Object.assign(new FakeDuplexStream(), {
      sink: async (source: AsyncIterable<unknown>): Promise<void> => {
        for await (const _ of source);
        await new Promise(() => {})
      }
    })
    const stream = new ByteStream(raw)
    const closing = stream.closeWrite()
    expect(await isPending(closing)).toBe(true)
    stream.abort(new Error('enough'))
    await expect(closing).rejects.toThrow('enough')
    await expect(stream.closeWrite()).rejects.toThrow('enough')
  })

  test('whose sink fails fails the writer', async () => {
    const raw = Object.assign(new FakeDuplexStream(), {
      sink: async (source: AsyncIterable<unknown>): Promise<void> => {
        for await (const _ of source) throw new Error('the muxer is gone')
      }
    })
    await expect(new ByteStream(raw).write(bytes(1))).rejects.toThrow('the muxer is gone')
  })
})

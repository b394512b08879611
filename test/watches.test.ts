// The watches of a store by themselves, over a log that a test plays: what waits is bounded, what was left is
// forgotten, and nothing that is told afterwards hangs on a disk.
import { getEventListeners } from 'node:events'
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import { cidFromBlockId } from '../src/codec/block-id.ts'
import type { Change } from '../src/events.ts'
import { blockId } from '../src/testkit/oracle/oracle.ts'
import { Watches, type WatchSource } from '../src/watch.ts'

const CID = cidFromBlockId(blockId(new Uint8Array(0)))
const CHANGE_BYTES = 1000
/** What one change counts for beside its value, give or take its key. */
const OVERHEAD_BYTES = 270

function change(sequence: number): Change {
  return {
    ...{ key: new Key(`/${sequence}`), value: new Uint8Array(CHANGE_BYTES), origin: 'local' },
    ...{ cid: CID, sequence }
  }
}

/** A store whose nodes have one change each. */
class Log implements WatchSource {
  readonly watches: Watches
  readonly replays: Array<{ from: number; to: number }> = []
  sequence: number
  /** Replaying waits for this. */
  held: Promise<void> = Promise.resolve()
  /** Whether a replay that was left early ended. */
  left = 0

  constructor(bufferChanges: number, sequence = 0) {
    this.sequence = sequence
    this.watches = new Watches(this, bufferChanges * (CHANGE_BYTES + OVERHEAD_BYTES), sequence)
  }

  commit(count = 1): void {
    for (let i = 0; i < count; i++) {
      const next = ++this.sequence
      this.watches.committed([change(next)], next)
    }
  }

  async *replay(from: number, to: number): AsyncGenerator<Change> {
    this.replays.push({ from, to })
    try {
      for (let sequence = from; sequence <= to; sequence++) {
        await this.held
        yield { ...change(sequence), replayed: true }
      }
    } finally {
      this.left++
    }
  }
}

async function take(changes: AsyncGenerator<Change>, count: number): Promise<number[]> {
  const sequences: number[] = []
  for (let i = 0; i < count; i++) sequences.push((await changes.next()).value.sequence)
  return sequences
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)

describe('what waits for a slow consumer', () => {
  test('is read from the log once it is more than the buffer holds', async () => {
    const log = new Log(10)
    const changes = log.watches.open({})
    log.commit(10)
    expect(await take(changes, 10)).toEqual(upTo(10))
    expect(log.replays).toEqual([])
    log.commit(11)
    expect(await take(changes, 11)).toEqual(upTo(21).slice(10))
    expect(log.replays).toEqual([{ from: 11, to: 21 }])
  })

  test('is not more the second time because it was too much the first time', async () => {
    const log = new Log(10)
    const changes = log.watches.open({})
    let taken = 0
    // Each time it falls behind in the middle of what was handed over, which must not buy it any credit.
    for (let round = 0; round < 5; round++) {
      log.commit(10)
      expect(await take(changes, 1)).toEqual([++taken])
      log.commit(20)
      expect(await take(changes, 29)).toHaveLength(29)
      taken += 29
    }
    const replays = log.replays.length
    log.commit(11)
    await take(changes, 11)
    expect(log.replays.length).toBe(replays + 1)
  })

  test('comes once and in order, wherever it falls behind', async () => {
    for (let burst = 1; burst <= 12; burst++) {
      const log = new Log(3)
      const changes = log.watches.open({})
      const seen: number[] = []
      for (let round = 0; round < 12; round++) {
        log.commit(burst)
        seen.push(...(await take(changes, Math.ceil(burst / 2))))
      }
      seen.push(...(await take(changes, log.sequence - seen.length)))
      expect(seen).toEqual(upTo(log.sequence))
    }
  })

  test('is read from where it fell behind, not from the last change that it wanted', async () => {
    const log = new Log(5)
    const changes = log.watches.open({ prefix: '/9' })
    log.commit(9)
    expect(await take(changes, 1)).toEqual([9])
    const next = changes.next()
    log.commit(80)
    // By now it has seen that it wanted none of these.
    await new Promise(setImmediate)
    log.commit(10)
    expect((await next).value?.sequence).toBe(90)
    expect(log.replays).toEqual([{ from: 90, to: 99 }])
  })

  test('is dropped when it is aborted', async () => {
    const log = new Log(10)
    const controller = new AbortController()
    const changes = log.watches.open({ signal: controller.signal })
    log.commit(3)
    await take(changes, 1)
    controller.abort(new RangeError('enough'))
    await expect(changes.next()).rejects.toThrow('enough')
    expect(await changes.next()).toEqual({ done: true, value: undefined })
  })
})

describe('a watch is forgotten, and lets go of its signal,', () => {
  const ENDS: Record<string, (log: Log, changes: AsyncGenerator<Change>) => Promise<unknown>> = {
    'when it is left before its first change': async (_log, changes) => changes.return(undefined),
    'when it is left while it waits': async (_log, changes) => {
      const next = changes.next()
      await changes.return(undefined)
      expect((await next).done).toBe(true)
    },
    'when its loop breaks': async (log, changes) => {
      log.commit()
      for await (const _ of changes) break
    },
    'when its loop throws': async (log, changes) => {
      log.commit()
      const loop = async (): Promise<void> => {
        for await (const _ of changes) throw new RangeError('the loop failed')
      }
      await expect(loop()).rejects.toThrow('the loop failed')
    },
    'when it is thrown into': async (_log, changes) => {
      await expect(changes.throw(new RangeError('thrown'))).rejects.toThrow('thrown')
    },
    'when it is thrown into in a replay': async (log, changes) => {
      log.commit(50)
      await changes.next()
      await expect(changes.throw(new RangeError('thrown'))).rejects.toThrow('thrown')
    },
    'when its loop breaks in the middle of what waits': async (log, changes) => {
      log.commit(5)
      for await (const _ of changes) break
    },
    'when its loop breaks in a replay, which ends too': async (log, changes) => {
      log.commit(50)
      for await (const _ of changes) break
      expect(log.left).toBe(1)
    },
    'when the log cannot be read': async (log, changes) => {
      log.commit(50)
      log.held = Promise.reject(new RangeError('the disk failed'))
      await expect(changes.next()).rejects.toThrow('the disk failed')
    },
    'when the store stops': async (log, changes) => {
      log.watches.stop()
      expect((await changes.next()).done).toBe(true)
    },
    'when the store stops and nobody asks for more': async (log) => log.watches.stop()
  }
  test.each(Object.entries(ENDS))('%s', async (_name, end) => {
    const log = new Log(10)
    const { signal } = new AbortController()
    const changes = log.watches.open({ signal })
    expect(log.watches.isEmpty).toBe(false)
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    await end(log, changes)
    expect(log.watches.isEmpty).toBe(true)
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  test('when it is aborted before its first change', () => {
    const log = new Log(10)
    const controller = new AbortController()
    log.watches.open({ signal: controller.signal })
    controller.abort()
    expect(log.watches.isEmpty).toBe(true)
  })

  test('and leaves the others', async () => {
    const log = new Log(10)
    const [one, other] = [log.watches.open({}), log.watches.open({})]
    await one.return(undefined)
    log.commit()
    expect(await take(other, 1)).toEqual([1])
    await other.return(undefined)
    expect(log.watches.isEmpty).toBe(true)
  })
})

describe('while the disk hangs', () => {
  test('a replay is aborted at once', async () => {
    const log = new Log(10, 5)
    const controller = new AbortController()
    const changes = log.watches.open({ since: 0, signal: controller.signal })
    log.held = new Promise(() => {})
    const next = changes.next()
    controller.abort(new RangeError('enough'))
    await expect(next).rejects.toThrow('enough')
  })

  test('the stop of the store ends a replay at once', async () => {
    const log = new Log(10, 5)
    const changes = log.watches.open({ since: 0 })
    log.held = new Promise(() => {})
    const next = changes.next()
    log.watches.stop()
    expect((await next).done).toBe(true)
  })

  test('a replay is left at once', async () => {
    const log = new Log(10, 5)
    const changes = log.watches.open({ since: 0 })
    log.held = new Promise(() => {})
    const next = changes.next()
    await changes.return(undefined)
    expect((await next).done).toBe(true)
  })
})

test('a replay that a stop cut off is not followed by what came after it, so that nothing is left out', async () => {
  const log = new Log(10, 5)
  const changes = log.watches.open({ since: 0 })
  expect(await take(changes, 2)).toEqual([1, 2])
  log.commit(3)
  log.watches.stop()
  expect((await changes.next()).done).toBe(true)
})

test('two calls of next at once get one change each, in order', async () => {
  const log = new Log(10)
  const changes = log.watches.open({})
  const both = [changes.next(), changes.next()]
  log.commit(2)
  expect((await Promise.all(both)).map(({ value }) => value.sequence)).toEqual([1, 2])
})

test('a commit that adds no node, such as a purge, does not turn the numbers back', async () => {
  const log = new Log(10, 7)
  const changes = log.watches.open({})
  log.watches.committed([change(7)], 7)
  log.commit()
  expect(await take(changes, 2)).toEqual([7, 8])
})

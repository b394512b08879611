// The queue of local writes: order, sharing a commit, aborting, bounds.
import { describe, expect, test } from 'vitest'
import type { Operation } from '../../src/crdt/delta.ts'
import { WriteQueue, type WriteUnit } from '../../src/replica/write-queue.ts'

const remove = (key: string): Operation => ({ type: 'delete', key })
const put = (key: string, bytes: number): Operation => ({ type: 'put', key, value: new Uint8Array(bytes) })
const unit = (dagName: string, ...operations: Operation[]): WriteUnit => ({ operations, dagName })

function newQueue(bytesMax = 1000): { queue: WriteQueue; wakes: () => number } {
  let wakes = 0
  const queue = new WriteQueue(bytesMax, () => {
    wakes += 1
  })
  return { queue, wakes: () => wakes }
}

/** What a write came to, so far. */
function watch(write: Promise<void>): { outcome: () => unknown } {
  let outcome: unknown = 'waiting'
  write.then(
    () => {
      outcome = 'acknowledged'
    },
    (error: unknown) => {
      outcome = error
    }
  )
  return { outcome: () => outcome }
}

const keysOf = (units: readonly WriteUnit[]): string[][] =>
  units.map(({ operations }) => operations.map(({ key }) => key))

describe('taking', () => {
  test('gives units in the order of their calls, and acknowledges each', async () => {
    const { queue, wakes } = newQueue()
    const writes = ['/a', '/b', '/c'].map((key) => queue.enqueue(unit('', remove(key))))
    expect(wakes()).toBe(3)
    const taken = queue.take(10)
    expect(keysOf(taken.units)).toEqual([['/a'], ['/b'], ['/c']])
    expect(queue.isEmpty).toBe(true)
    taken.acknowledge()
    await Promise.all(writes)
  })

  test('rejects each with what its commit was rejected with', async () => {
    const { queue } = newQueue()
    const writes = ['/a', '/b'].map((key) => queue.enqueue(unit('', remove(key))))
    const reason = new RangeError('no')
    queue.take(10).reject(reason)
    for (const write of writes) await expect(write).rejects.toBe(reason)
  })

  test('stops at another DAG, so that the order is kept', () => {
    const { queue } = newQueue()
    for (const dagName of ['', '', 'x', '', 'x']) void queue.enqueue(unit(dagName, remove('/k')))
    const taken = []
    while (!queue.isEmpty) taken.push(queue.take(10).units.map(({ dagName }) => dagName))
    expect(taken).toEqual([['', ''], ['x'], [''], ['x']])
  })

  test('stops before there are too many operations, but never divides a unit', () => {
    const { queue } = newQueue()
    const sizes = [1, 1, 3, 9, 1]
    for (const size of sizes)
      void queue.enqueue(unit('', ...Array.from({ length: size }, () => remove('/k'))))
    const taken = []
    while (!queue.isEmpty) taken.push(queue.take(4).units.map(({ operations }) => operations.length))
    expect(taken).toEqual([[1, 1], [3], [9], [1]])
  })

  test('from an empty queue gives nothing', () => {
    expect(newQueue().queue.take(1).units).toEqual([])
  })
})

describe('aborting', () => {
  test('before the call makes no write and wakes nobody', async () => {
    const { queue, wakes } = newQueue()
    const reason = new RangeError('too late')
    await expect(queue.enqueue(unit('', remove('/k')), AbortSignal.abort(reason))).rejects.toBe(reason)
    expect(queue.isEmpty).toBe(true)
    expect(wakes()).toBe(0)
  })

  test('before it is taken takes a write out of the queue', async () => {
    const { queue } = newQueue()
    const controller = new AbortController()
    const first = watch(queue.enqueue(unit('', remove('/a'))))
    const aborted = queue.enqueue(unit('', put('/b', 900)), controller.signal)
    const reason = new RangeError('enough')
    controller.abort(reason)
    await expect(aborted).rejects.toBe(reason)
    // Its bytes are free again.
    const last = watch(queue.enqueue(unit('', put('/c', 900))))
    const taken = queue.take(10)
    expect(keysOf(taken.units)).toEqual([['/a'], ['/c']])
    taken.acknowledge()
    await Promise.resolve()
    await Promise.resolve()
    await Promise.resolve()
    expect([first.outcome(), last.outcome()]).toEqual(['acknowledged', 'acknowledged'])
  })

  test('after it was taken ends the wait and leaves the write to its commit', async () => {
    const { queue } = newQueue()
    const controller = new AbortController()
    const write = queue.enqueue(unit('', remove('/k')), controller.signal)
    const taken = queue.take(10)
    const reason = new RangeError('enough')
    controller.abort(reason)
    await expect(write).rejects.toBe(reason)
    expect(keysOf(taken.units)).toEqual([['/k']])
    taken.acknowledge()
  })

  test('after it was acknowledged changes nothing', async () => {
    const { queue } = newQueue()
    const controller = new AbortController()
    const write = queue.enqueue(unit('', remove('/k')), controller.signal)
    queue.take(10).acknowledge()
    controller.abort()
    await write
  })
})

describe('the bound', () => {
  test('refuses what is too much by name, and counts keys and values', async () => {
    const { queue } = newQueue(100)
    void queue.enqueue(unit('', put('/k', 90)))
    await expect(queue.enqueue(unit('', put('/k', 7)))).rejects.toMatchObject({
      name: 'WriteQueueFullError',
      message: expect.stringContaining('writeQueueBytesMax')
    })
    const fits = watch(queue.enqueue(unit('', put('/k', 6))))
    expect(queue.take(10).units).toHaveLength(2)
    expect(fits.outcome()).toBe('waiting')
  })

  test('takes one write of any size when nothing waits', () => {
    const { queue } = newQueue(100)
    void queue.enqueue(unit('', put('/k', 5000)))
    expect(queue.take(10).units).toHaveLength(1)
  })

  test('is free again once its bytes were taken', async () => {
    const { queue } = newQueue(100)
    for (let round = 0; round < 5; round++) {
      const write = queue.enqueue(unit('', put('/k', 90)))
      queue.take(10).acknowledge()
      await write
    }
    expect(queue.isEmpty).toBe(true)
  })
})

test('clearing rejects everything that waits, and what comes later is taken again', async () => {
  const { queue } = newQueue(100)
  const writes = [queue.enqueue(unit('', put('/a', 40))), queue.enqueue(unit('x', put('/b', 40)))]
  const reason = new RangeError('closed')
  queue.clear(reason)
  for (const write of writes) await expect(write).rejects.toBe(reason)
  expect(queue.isEmpty).toBe(true)
  void queue.enqueue(unit('', put('/c', 90)))
  expect(keysOf(queue.take(10).units)).toEqual([['/c']])
})

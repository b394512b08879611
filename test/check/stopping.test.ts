// The end of a check before its end: by a stop, a close, an abort, a datastore that fails or a crash. It ends promptly,
// says why, and leaves no row behind.
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import { type CheckProgress, type CrdtDatastore, createCrdtDatastore } from '../../src/index.ts'
import { World } from '../replica/world.ts'
import { FaultyDatastore } from '../storage/faulty-datastore.ts'
import { openLevel, openStore } from '../storage/open-store.ts'
import { rawRows } from '../storage/store-check.ts'
import { differing, someOf } from './damage.ts'
import { encode, key, SHAPES, scratchRows, shapedStore, shownBy, TOPIC } from './shapes.ts'

const CLEAN = { ok: true, complete: true, differenceCount: 0 }

/** What to do when a check has begun, and at each of its later steps. */
const MOMENTS = [1, 2, 5, 9] as const

/** Calls a function at the so manieth step of a check. */
function atStep(step: number, call: () => void): { onProgress: (progress: CheckProgress) => void } {
  let steps = 0
  return {
    onProgress: () => {
      if (++steps === step) call()
    }
  }
}

describe.each([['started'], ['not started']])('a check of a store that is %s', (state) => {
  async function opened(
    datastore = new FaultyDatastore()
  ): Promise<{ store: CrdtDatastore; datastore: FaultyDatastore }> {
    const first = await shapedStore(datastore, Object.keys(SHAPES))
    await first.close()
    const store = await openStore({ datastore, topic: TOPIC, start: state === 'started' })
    return { store, datastore }
  }

  test.each(['stop', 'close'] as const)('ends by a %s at any step with ClosedError', async (end) => {
    for (const step of MOMENTS) {
      const { store, datastore } = await opened()
      const before = await rawRows(datastore)
      let ended: Promise<void> | undefined
      const check = store.repair(atStep(step, () => (ended = store[end]())))
      await expect(check).rejects.toMatchObject({ name: 'ClosedError' })
      await ended
      const { reads, writes } = datastore
      expect(differing(await rawRows(datastore), before)).toEqual([])
      await new Promise((resolve) => setImmediate(resolve))
      expect(datastore.writes, 'nothing is left running').toBe(writes)
      expect(datastore.reads).toBeLessThanOrEqual(reads + 1)
      if (end === 'close') await expect(store.verify()).rejects.toMatchObject({ name: 'ClosedError' })
      else expect(await store.verify()).toMatchObject(CLEAN)
    }
  })

  test('has ended when a stop has', async () => {
    const { store, datastore } = await opened()
    let isOver = false
    let wasOver: boolean | undefined
    const check = store.verify(
      atStep(2, () => {
        store.stop().then(() => {
          wasOver = isOver
        })
      })
    )
    await check.catch(() => {
      isOver = true
    })
    await store.stop()
    expect(wasOver ?? isOver).toBe(true)
    expect(scratchRows(await rawRows(datastore))).toEqual([])
  })

  test('ends by an abort at any step with the reason of the signal', async () => {
    for (const step of MOMENTS) {
      const { store, datastore } = await opened()
      const before = await rawRows(datastore)
      const controller = new AbortController()
      const reason = new Error('enough')
      const check = store.verify({
        signal: controller.signal,
        ...atStep(step, () => controller.abort(reason))
      })
      await expect(check).rejects.toBe(reason)
      expect(differing(await rawRows(datastore), before)).toEqual([])
      expect(await store.verify()).toMatchObject(CLEAN)
      await store.close()
    }
  })

  test('does not begin with a signal that is aborted', async () => {
    const { store, datastore } = await opened()
    const reason = new Error('enough')
    const { reads } = datastore
    await expect(store.repair({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(datastore.reads).toBe(reads)
  })

  test('fails with what a listener throws, and leaves nothing', async () => {
    const { store, datastore } = await opened()
    const before = await rawRows(datastore)
    const failure = new Error('in the listener')
    const options = atStep(3, () => {
      throw failure
    })
    await expect(store.verify(options)).rejects.toBe(failure)
    expect(differing(await rawRows(datastore), before)).toEqual([])
  })

  test('fails with a datastore that fails, and mends it all once that works again', async () => {
    for (const failing of ['reads', 'writes'] as const) {
      const { store, datastore } = await opened()
      const [row] = someOf(datastore.rows(), 'k', 1) as [string]
      await datastore.delete(new Key(row, false))
      let steps = 0
      const check = store.repair({
        onProgress: () => {
          if (++steps !== 3) return
          if (failing === 'writes') datastore.breakDisk()
          else datastore.failRead = () => true
        }
      })
      await expect(check).rejects.toThrow(/input\/output error|no space left|refused/)
      datastore.mendDisk()
      await store.stop().catch(() => {})
      expect(await store.repair()).toMatchObject({ ok: true })
      expect(scratchRows(await rawRows(datastore))).toEqual([])
      expect((await rawRows(datastore)).has(row)).toBe(true)
      await store.close()
    }
  })

  test('clears what a crash left behind, which nobody else sees', async () => {
    const datastore = await openLevel()
    const first = await shapedStore(datastore, Object.keys(SHAPES))
    const shown = await shownBy(first)
    await first.close()
    const before = await rawRows(datastore)
    for (const [row, value] of before) {
      await datastore.put(new Key(row.replace('/crdt', '/crdt/x'), false), value)
    }
    const store = await openStore({ datastore, topic: TOPIC, start: false })
    await store.start()
    expect(await shownBy(store)).toEqual(shown)
    if (state !== 'started') await store.stop()
    expect(await store.verify()).toMatchObject(CLEAN)
    expect(differing(await rawRows(datastore), before)).toEqual([])
  })

  test('and another at once follow each other', async () => {
    const { store } = await opened()
    const order: string[] = []
    const step = (name: string) => ({ onProgress: () => void (order.at(-1) !== name && order.push(name)) })
    const reports = await Promise.all([
      store.verify(step('one')),
      store.repair(step('two')),
      store.verify(step('three'))
    ])
    for (const report of reports) expect(report).toMatchObject(CLEAN)
    expect(order).toEqual(['one', 'two', 'three'])
  })

  test('that waits for another ends at once by an abort, and by a stop', async () => {
    const { store, datastore } = await opened()
    const release = datastore.holdReads()
    const first = store.verify()
    const controller = new AbortController()
    const second = store.verify({ signal: controller.signal })
    const third = store.verify()
    controller.abort(new Error('enough'))
    await expect(second).rejects.toThrow('enough')
    const stopped = store.stop()
    await expect(third).rejects.toMatchObject({ name: 'ClosedError' })
    release()
    await expect(first).rejects.toMatchObject({ name: 'ClosedError' })
    await stopped
    expect(scratchRows(await rawRows(datastore))).toEqual([])
  })

  test('that failed does not hold up the next', async () => {
    const { store, datastore } = await opened()
    datastore.failRead = () => true
    await expect(store.verify()).rejects.toThrow()
    datastore.mendDisk()
    expect(await store.verify()).toMatchObject(CLEAN)
  })
})

describe('a store that is not started', () => {
  test('starts after the check under way, and checks after that see it started', async () => {
    const datastore = new FaultyDatastore()
    const first = await shapedStore(datastore, ['named DAGs'])
    await first.close()
    const store = await createCrdtDatastore({ datastore, topic: TOPIC, start: false })
    const order: string[] = []
    const release = datastore.holdReads()
    const one = store.verify().then(() => order.push('checked'))
    await new Promise((resolve) => setImmediate(resolve))
    const start = store.start().then(() => order.push('started'))
    const two = store.verify().then(() => order.push('checked'))
    release()
    await Promise.all([one, start, two])
    expect(order).toEqual(['checked', 'started', 'checked'])
    await store.put(key('/k'), encode('1'))
    expect(await store.verify()).toMatchObject(CLEAN)
    await store.close()
  })

  test('is not checked while another store uses its rows, nor used while it is checked', async () => {
    const datastore = new FaultyDatastore()
    const other = await openStore({ datastore })
    const store = await openStore({ datastore, start: false })
    await expect(store.verify()).rejects.toMatchObject({ name: 'NamespaceInUseError' })
    await other.stop()
    const release = datastore.holdReads()
    const check = store.verify()
    await new Promise((resolve) => setImmediate(resolve))
    await expect(other.start()).rejects.toMatchObject({ name: 'NamespaceInUseError' })
    release()
    expect(await check).toMatchObject(CLEAN)
    await other.start()
  })

  test('says why its datastore cannot be read', async () => {
    const datastore = new FaultyDatastore()
    datastore.failRead = () => true
    const store = await openStore({ datastore, start: false })
    await expect(store.verify()).rejects.toMatchObject({ name: 'DatastoreOpenError' })
  })
})

describe('a check that asks peers', () => {
  test.each(['abort', 'stop'] as const)('ends at once by an %s while nobody answers', async (how) => {
    const world = new World(1)
    const alice = await world.peer('alice', { rules: {} })
    await alice.history(5)
    const bob = await world.peer('bob')
    await world.clock.until(async () => (await bob.nodes()) === 5)
    alice.rules.mute = true
    await bob.datastore.delete(new Key(`/crdt/b/${'2'.padStart(14, '0')}`, false))
    const controller = new AbortController()
    const since = bob.exchange.requests.length
    const check = bob.store.repair({ signal: controller.signal })
    const failed = check.then(
      () => undefined,
      (error) => error
    )
    await world.clock.until(() => bob.exchange.requests.length > since)
    const now = world.clock.now()
    if (how === 'abort') controller.abort(new Error('enough'))
    const stopped = how === 'stop' ? bob.store.stop() : undefined
    expect(await failed).toMatchObject(how === 'abort' ? { message: 'enough' } : { name: 'ClosedError' })
    await stopped
    expect(world.clock.now()).toBe(now)
    expect(bob.datastore.rows('/crdt/x')).toEqual([])
    await world.close()
  })
})

// The small parts of the remote path: heads that wait to be handled, those that are wanted and kept on disk, room in
// memory, and waiting until all is settled.
import { describe, expect, test } from 'vitest'
import type { AnnouncedHead } from '../../src/codec/broadcast.ts'
import { Inbox, type InboxInit } from '../../src/replica/inbox.ts'
import { BLOCK_OVERHEAD_BYTES, Room } from '../../src/replica/room.ts'
import { Settlement } from '../../src/replica/settlement.ts'
import { WantedHeads } from '../../src/replica/wanted.ts'
import { ChangeSet } from '../../src/storage/commit.ts'
import { Layout } from '../../src/storage/keys.ts'
import { PendingStore } from '../../src/storage/pending-store.ts'
import { rowStoreOver } from '../../src/storage/row-store.ts'
import { forgeMissing } from './forge.ts'
import { AtomicMemory } from './memory.ts'

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

/** Whether a promise has been kept, after everything that needs no time has happened. */
async function isDone(promise: Promise<unknown>): Promise<boolean> {
  let done = false
  void promise.then(
    () => {
      done = true
    },
    () => {}
  )
  await settle()
  return done
}

describe('Inbox', () => {
  interface Stage {
    inbox: Inbox
    handled: string[]
    dropped: number
    errors: number
    gate: PromiseWithResolvers<void>
  }

  function stage(bytesMax: number, handle?: InboxInit['handle']): Stage {
    const gate = Promise.withResolvers<void>()
    const state: Stage = { handled: [], dropped: 0, errors: 0, gate, inbox: undefined as never }
    state.inbox = new Inbox({
      bytesMax,
      handle: async (head, heard) => {
        await handle?.(head, heard)
        await gate.promise
        state.handled.push(head.id)
      },
      onDropped: () => {
        state.dropped++
      },
      onError: () => {
        state.errors++
      }
    })
    return state
  }

  function heard(...ids: string[]): { heads: AnnouncedHead[]; from: string; gossip: boolean } {
    return { heads: ids.map((id) => ({ id, dagName: '' })), from: 'alice', gossip: true }
  }

  test('handles one message after the other', async () => {
    const { inbox, handled, gate } = stage(1000)
    inbox.push(heard('a', 'b'))
    inbox.push(heard('c'))
    await settle()
    expect(handled).toEqual([])
    gate.resolve()
    await inbox.handled()
    expect(handled).toEqual(['a', 'b', 'c'])
    inbox.push(heard('d'))
    await inbox.handled()
    expect(handled).toEqual(['a', 'b', 'c', 'd'])
  })

  test('holds so many bytes, and drops what comes when it is full', async () => {
    const state = stage(200)
    for (let i = 0; i < 10; i++) state.inbox.push(heard(`${i}`))
    // One more may wait than fits, so that a message that is larger than the limit is not lost for good.
    state.gate.resolve()
    await state.inbox.handled()
    expect(state.handled.length + state.dropped).toBe(10)
    expect(state.handled).toEqual(['0', '1', '2', '3'])
    state.inbox.push(heard(...Array.from({ length: 20 }, (_, i) => `large ${i}`)))
    await state.inbox.handled()
    expect(state.handled).toHaveLength(24)
  })

  test('messages without heads take no room, and do not stop what comes after', async () => {
    const { inbox, handled, gate } = stage(200)
    gate.resolve()
    for (let i = 0; i < 1000; i++) inbox.push(heard())
    inbox.push(heard('a'))
    await inbox.handled()
    expect(handled).toEqual(['a'])
  })

  test('a head that fails does not take others along', async () => {
    const state = stage(1000, async ({ id }) => {
      if (id === 'bad') throw new Error('bad')
    })
    state.gate.resolve()
    state.inbox.push(heard('a', 'bad', 'b'))
    await state.inbox.handled()
    expect(state.handled).toEqual(['a', 'b'])
    expect(state.errors).toBe(1)
  })

  test('whoever waits until it is handled does not wait for what comes later, and can be aborted', async () => {
    let go = Promise.withResolvers<void>()
    const { inbox, gate } = stage(1_000_000, () => go.promise)
    gate.resolve()
    inbox.push(heard('a'))
    const first = inbox.handled()
    inbox.push(heard('b'))
    const second = inbox.handled()
    const controller = new AbortController()
    const aborted = inbox.handled(controller.signal)
    controller.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    expect(await isDone(first)).toBe(false)
    const blocked = go
    go = Promise.withResolvers()
    blocked.resolve()
    expect(await isDone(first)).toBe(true)
    expect(await isDone(second)).toBe(false)
    go.resolve()
    await second
    expect(await isDone(inbox.handled())).toBe(true)
  })

  test('stop forgets what waits, and lets nobody wait for it', async () => {
    const { inbox, handled, gate } = stage(1000)
    inbox.push(heard('a', 'b'))
    await settle()
    inbox.push(heard('c'))
    const waiting = inbox.handled()
    const stopped = inbox.stop()
    gate.resolve()
    await stopped
    await waiting
    inbox.push(heard('d'))
    await settle()
    expect(handled).toEqual(['a'])
  })
})

describe('Settlement', () => {
  test('resolves when each block was settled, and at once where there is none', async () => {
    const settlement = new Settlement()
    await settlement.wait([])
    const wait = settlement.wait(['a', 'b', 'a'])
    const other = settlement.wait(['b'])
    settlement.settle('a')
    settlement.settle('c')
    expect(await isDone(wait)).toBe(false)
    settlement.settle('b')
    await Promise.all([wait, other])
  })

  test('stops waiting when the signal is aborted, and leaves others waiting', async () => {
    const settlement = new Settlement()
    const controller = new AbortController()
    const wait = settlement.wait(['a'], controller.signal)
    const other = settlement.wait(['a'])
    controller.abort(new Error('enough'))
    await expect(wait).rejects.toThrow('enough')
    await expect(settlement.wait([], controller.signal)).rejects.toThrow('enough')
    settlement.settle('a')
    await other
  })

  test('ends every wait when it is closed, and those that begin later', async () => {
    const settlement = new Settlement()
    const wait = settlement.wait(['a'])
    settlement.close(new Error('closed'))
    await expect(wait).rejects.toThrow('closed')
    await expect(settlement.wait(['a'])).rejects.toThrow('closed')
    await expect(settlement.wait([])).rejects.toThrow('closed')
  })
})

describe('Room', () => {
  test('lets in until it is full, and again when there is room', async () => {
    const room = new Room(100 + BLOCK_OVERHEAD_BYTES)
    room.take(100)
    await room.wait()
    room.take(1)
    const wait = room.wait()
    expect(await isDone(wait ?? Promise.resolve())).toBe(false)
    room.free(1)
    await wait
  })

  test('lets everybody go when it is closed', async () => {
    const room = new Room(100)
    room.take(200)
    const wait = room.wait()
    room.close()
    await wait
    await room.wait()
  })
})

describe('WantedHeads', () => {
  const rows = (datastore: AtomicMemory) => rowStoreOver(datastore, { durability: 'process' })
  const [a, b] = [forgeMissing('a').id, forgeMissing('b').id]

  async function commit(
    datastore: AtomicMemory,
    wanted: WantedHeads,
    meanwhile = (): void => {}
  ): Promise<void> {
    const changes = new ChangeSet()
    const done = wanted.store(changes)
    await rows(datastore).write(changes.rows)
    meanwhile()
    done()
  }

  function stage(datastore = new AtomicMemory()): [AtomicMemory, WantedHeads] {
    return [datastore, new WantedHeads(new PendingStore(rows(datastore), new Layout('/crdt')), () => {})]
  }

  test('are kept on disk, and gone from it once they are merged', async () => {
    const [datastore, wanted] = stage()
    wanted.add(a)
    wanted.add(b)
    expect(wanted.hasUnstored).toBe(true)
    await commit(datastore, wanted)
    expect(wanted.hasUnstored).toBe(false)
    const [, later] = stage(datastore)
    expect((await later.load()).sort()).toEqual([a, b].sort())
    later.remove(a)
    await commit(datastore, later)
    expect(await stage(datastore)[1].load()).toEqual([b])
  })

  test('that come and go before they were written cost nothing', () => {
    const [, wanted] = stage()
    wanted.add(a)
    wanted.remove(a)
    wanted.remove(b)
    expect(wanted.hasUnstored).toBe(false)
  })

  test('that go while they are written are deleted after it', async () => {
    const [datastore, wanted] = stage()
    wanted.add(a)
    await commit(datastore, wanted, () => wanted.remove(a))
    expect(wanted.hasUnstored).toBe(true)
    await commit(datastore, wanted)
    expect(datastore.rows('/crdt/w')).toEqual([])
    expect(wanted.hasUnstored).toBe(false)
  })

  test('that come again while they are deleted are written after it', async () => {
    const [datastore, wanted] = stage()
    wanted.add(a)
    await commit(datastore, wanted)
    wanted.remove(a)
    await commit(datastore, wanted, () => wanted.add(a))
    await commit(datastore, wanted)
    expect(datastore.rows('/crdt/w')).toHaveLength(1)
    expect(wanted.hasUnstored).toBe(false)
  })
})

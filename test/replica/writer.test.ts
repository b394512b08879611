// The single writer: group commit while a commit is under way, local and remote commits in turns, and what happens
// when commits fail.
import { MemoryDatastore } from 'datastore-core'
import { expect, onTestFinished, test } from 'vitest'
import { CommitFailedError, StoreFailedError } from '../../src/errors.ts'
import { defaultLimits, type Limits } from '../../src/options.ts'
import { newCounters, type ReplicaCounters } from '../../src/replica/counters.ts'
import { IgnoredDags } from '../../src/replica/ignored-dags.ts'
import { Ingest } from '../../src/replica/ingest.ts'
import type { Committed } from '../../src/replica/staged-commit.ts'
import { ReplicaState } from '../../src/replica/state.ts'
import { WantedHeads } from '../../src/replica/wanted.ts'
import { WriteQueue } from '../../src/replica/write-queue.ts'
import { Writer } from '../../src/replica/writer.ts'
import { atomicCommitter, type ChangeSet, type Committer } from '../../src/storage/commit.ts'
import { GapStore } from '../../src/storage/gap-store.ts'
import { HeadsStore } from '../../src/storage/heads-store.ts'
import { Layout } from '../../src/storage/keys.ts'
import { LogStore } from '../../src/storage/log-store.ts'
import { PendingStore } from '../../src/storage/pending-store.ts'
import { rowStoreOver } from '../../src/storage/row-store.ts'
import { SetStore } from '../../src/storage/set-store.ts'
import { ManualClock } from '../storage/manual-clock.ts'
import { type RemoteNode, remoteNode } from '../storage/remote-peer.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A committer that does each commit only when it is told to, or fails it. */
class SlowCommitter implements Committer {
  readonly commits: ChangeSet[] = []
  readonly #inner: Committer
  readonly #decisions: Array<(error?: Error) => void> = []
  #onCommit: (() => void) | undefined

  constructor(inner: Committer) {
    this.#inner = inner
  }

  async commit(changes: ChangeSet): Promise<void> {
    this.commits.push(changes)
    const decided = new Promise<void>((resolve, reject) => {
      this.#decisions.push((error) => (error === undefined ? resolve() : reject(error)))
    })
    this.#onCommit?.()
    await decided
    await this.#inner.commit(changes)
  }

  /** Waits until the next commit is under way. */
  async next(): Promise<(error?: Error) => void> {
    while (this.#decisions.length === 0) {
      await new Promise<void>((resolve) => {
        this.#onCommit = resolve
      })
    }
    return this.#decisions.shift() as (error?: Error) => void
  }

  get underWay(): number {
    return this.#decisions.length
  }
}

interface Setup {
  writer: Writer
  queue: WriteQueue
  ingest: Ingest
  committer: SlowCommitter
  clock: ManualClock
  counters: ReplicaCounters
  /** Every commit, in short. */
  log: string[]
  put(key: string): Promise<void>
  receive(...nodes: RemoteNode[]): Promise<void>
}

function setUp(given: Partial<Limits> = {}, coalesce = true): Setup {
  const limits = { ...defaultLimits, ...given }
  const layout = new Layout('/crdt')
  const rows = rowStoreOver(new MemoryDatastore(), { durability: 'process', atomicBatch: true })
  const committer = new SlowCommitter(atomicCommitter(rows))
  const log = new LogStore(rows, layout)
  const stores = {
    ...{ layout, rows, log, committer, sets: new SetStore(rows, layout) },
    ...{ heads: new HeadsStore(layout), gaps: new GapStore(rows, layout) }
  }
  const state = ReplicaState.load(layout.state, undefined)
  const pendingStore = new PendingStore(rows, layout)
  const counters = newCounters()
  const clock = new ManualClock()
  const commits: string[] = []
  const logger = Object.assign(() => {}, { error: () => {}, trace: () => {} })
  const queue = new WriteQueue(limits.writeQueueBytesMax, () => writer.wake())
  const ingest = new Ingest({
    ...{ log, pendingStore, state, limits, counters },
    ignored: new IgnoredDags(layout),
    dropped: () => {},
    refused: () => {},
    wake: () => writer.wake(),
    want: () => {},
    arrived: () => false,
    remember: () => {},
    forget: () => {},
    unwant: () => {}
  })
  const writer: Writer = new Writer({
    ...{ stores, state, queue, ingest, limits, clock, counters, logger, coalesce },
    wanted: new WantedHeads(pendingStore, () => writer.wake()),
    ignored: new IgnoredDags(layout),
    random: () => 0.5,
    onCommitted: ({ origin, nodes }: Committed) => commits.push(`${origin} ${nodes.length}`),
    onFailed: () => commits.push('failed')
  })
  onTestFinished(() => expect(clock.openTimers).toBe(0))
  return {
    ...{ writer, queue, ingest, committer, clock, counters, log: commits },
    put: (key) => queue.enqueue({ operations: [{ type: 'put', key, value: encode('1') }], dagName: '' }),
    receive: async (...nodes) => {
      for (const { bytes } of nodes) await ingest.receive({ bytes, from: 'peer' }, undefined)
    }
  }
}

async function remoteNodes(count: number): Promise<RemoteNode[]> {
  const nodes = Array.from({ length: count }, (_, index) =>
    remoteNode({ priority: 1n, elements: [{ key: `/remote/${index}`, value: encode('1') }] })
  )
  return await Promise.all(nodes)
}

test('writes that come while a commit is under way share the next one', async () => {
  const { writer, committer, log, put } = setUp()
  const first = put('/first')
  const finishFirst = await committer.next()
  const others = Array.from({ length: 10 }, (_, index) => put(`/${index}`))
  expect(committer.commits).toHaveLength(1)
  finishFirst()
  await first
  ;(await committer.next())()
  await Promise.all(others)
  expect(log).toEqual(['local 1', 'local 1'])
  await writer.stop()
})

test('with coalesce off they share a commit and have a node each', async () => {
  const { writer, committer, log, put } = setUp({}, false)
  const writes = Array.from({ length: 10 }, (_, index) => put(`/${index}`))
  ;(await committer.next())()
  await Promise.all(writes)
  expect(log).toEqual(['local 10'])
  await writer.stop()
})

test('one commit is under way at a time', async () => {
  const { writer, committer, put, receive } = setUp({ commitOperationsMax: 1, commitNodesMax: 1 })
  const writes = [put('/a'), put('/b')]
  await receive(...(await remoteNodes(2)))
  for (let commit = 1; commit <= 4; commit++) {
    const finish = await committer.next()
    expect([committer.commits.length, committer.underWay]).toEqual([commit, 0])
    finish()
  }
  await Promise.all(writes)
  await writer.stop()
})

test('local and remote commits take turns', async () => {
  const { writer, committer, log, put, receive } = setUp({ commitOperationsMax: 1, commitNodesMax: 1 })
  const writes = Array.from({ length: 4 }, (_, index) => put(`/${index}`))
  await receive(...(await remoteNodes(4)))
  for (let commit = 0; commit < 8; commit++) (await committer.next())()
  await Promise.all(writes)
  await writer.stop()
  expect(log).toEqual(Array.from({ length: 4 }, () => ['local 1', 'remote 1']).flat())
})

test('a write is acknowledged after its commit is durable, and not before', async () => {
  const { writer, committer, put } = setUp()
  let acknowledged = false
  const write = put('/k').then(() => {
    acknowledged = true
  })
  const finish = await committer.next()
  expect(acknowledged).toBe(false)
  finish()
  await write
  await writer.stop()
})

test('a local commit that fails rejects its writes, and the next ones are made', async () => {
  const { writer, committer, log, counters, put } = setUp()
  const failing = [put('/a'), put('/b')]
  const reason = new CommitFailedError(new Error('no space'))
  ;(await committer.next())(reason)
  for (const write of failing) await expect(write).rejects.toBe(reason)
  const write = put('/c')
  ;(await committer.next())()
  await write
  expect(log).toEqual(['local 1'])
  expect(counters).toMatchObject({ failedCommits: 1, localCommits: 1, localNodes: 1 })
  await writer.stop()
})

test('an error without a name is a CommitFailedError to the caller', async () => {
  const { writer, committer, put } = setUp()
  const write = put('/a')
  const reason = new RangeError('odd')
  ;(await committer.next())(reason)
  await expect(write).rejects.toMatchObject({ name: 'CommitFailedError', cause: reason })
  await writer.stop()
})

test('a remote commit that fails keeps its nodes and is tried again after a pause that grows', async () => {
  const { writer, committer, clock, log, counters, put, receive } = setUp()
  await receive(...(await remoteNodes(3)))
  ;(await committer.next())(new CommitFailedError(new Error('no space')))
  // Local writes do not wait for it.
  const write = put('/k')
  ;(await committer.next())()
  await write
  expect(log).toEqual(['local 1'])
  expect(clock.openTimers).toBe(1)
  clock.advance(defaultLimits.retryIntervalMs)
  ;(await committer.next())(new CommitFailedError(new Error('no space')))
  const again = put('/l')
  ;(await committer.next())()
  await again
  clock.advance(defaultLimits.retryIntervalMs)
  expect(committer.underWay, 'the second pause is longer').toBe(0)
  clock.advance(defaultLimits.retryIntervalMs)
  ;(await committer.next())()
  await writer.stop()
  expect(log).toEqual(['local 1', 'local 1', 'remote 3'])
  expect(counters).toMatchObject({ failedCommits: 2, remoteNodes: 3, remoteCommits: 1 })
})

test('a pause that ends while a local commit is under way is not forgotten', async () => {
  const { writer, committer, clock, log, put, receive } = setUp()
  await receive(...(await remoteNodes(1)))
  ;(await committer.next())(new CommitFailedError(new Error('no space')))
  const write = put('/k')
  const finish = await committer.next()
  clock.advance(defaultLimits.retryIntervalMs)
  finish()
  await write
  ;(await committer.next())()
  await writer.stop()
  expect(log).toEqual(['local 1', 'remote 1'])
})

test('after a failure that leaves the store undecided nothing is written any more', async () => {
  const { writer, committer, ingest, put, receive } = setUp()
  const first = put('/a')
  const finish = await committer.next()
  const second = put('/b')
  await receive(...(await remoteNodes(1)))
  const synced = ingest.settlement.wait(ingest.unmerged())
  const failure = new StoreFailedError(new Error('no space'))
  finish(failure)
  await expect(first).rejects.toBe(failure)
  await expect(second).rejects.toBe(failure)
  await expect(synced).rejects.toBe(failure)
  expect(writer.failure).toBe(failure)
  await writer.stop()
  expect(committer.commits).toHaveLength(1)
})

test('stopping finishes the commit that is under way, merges nothing more and keeps what is ready', async () => {
  const { writer, committer, log, put, receive } = setUp()
  const write = put('/a')
  const finish = await committer.next()
  const [ready] = await remoteNodes(1)
  await receive(ready!)
  const stopping = writer.stop()
  finish()
  await write
  ;(await committer.next())()
  await stopping
  writer.wake()
  expect(log).toEqual(['local 1'])
  // The node that could have been merged is kept for the next start, and the clock that it raised.
  expect([...(committer.commits[1]?.rows.keys() ?? [])]).toEqual([`/crdt/p${ready!.id}`, '/crdt/s'])
})

test('stopping while a failed commit waits to be tried again leaves no timer, and keeps its nodes', async () => {
  const { writer, committer, clock, receive } = setUp()
  const [node] = (await remoteNodes(1)) as [RemoteNode]
  await receive(node)
  ;(await committer.next())(new CommitFailedError(new Error('no space')))
  await expect.poll(() => clock.openTimers).toBe(1)
  const stopped = writer.stop()
  ;(await committer.next())()
  await stopped
  expect(clock.openTimers).toBe(0)
  expect([...(committer.commits.at(-1)?.rows.keys() ?? [])]).toContain(`/crdt/p${node.id}`)
})

test('stopping keeps what waits for its ancestors', async () => {
  const { writer, committer, receive } = setUp()
  const [missing] = await remoteNodes(1)
  const waiting = await remoteNode({ priority: 2n, links: [missing!.id] })
  await receive(waiting)
  ;(await committer.next())()
  await writer.stop()
  expect([...(committer.commits[0]?.rows.keys() ?? [])]).toContain(`/crdt/p${waiting.id}`)
})

test('operations that change nothing are acknowledged without a commit', async () => {
  const { writer, queue, committer } = setUp()
  await queue.enqueue({ operations: [{ type: 'delete', key: '/none' }], dagName: '' })
  await queue.enqueue({ operations: [], dagName: '' })
  expect(committer.commits).toHaveLength(0)
  await writer.stop()
})

// A real data set through real processes over TCP, and the accidents of real life: a peer that is killed in the
// middle of its catch-up, and one that comes late while others write.
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { LevelDatastore } from 'datastore-level'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { createCrdtDatastore } from '../../src/index.ts'
import { ensureBuilt } from './build.ts'
import { type DataSet, readDataSet, writeDataSet } from './data-set.ts'
import { deleteFolders, temporaryFolder } from './folders.ts'
import { killAll, PeerProcess } from './peer-process.ts'

/** Keys, and how many of them are a delta each: a catch-up of many nodes, small and large. */
const KEYS = 20_000
const SINGLE_KEYS = 6_000
const BATCH_KEYS = 20
/** The catch-up is killed once so much of it is done, as long as not more than that is. */
const KILL_FROM = 0.1
const KILL_TO = 0.7
const KILL_ATTEMPTS = 5
/** A late joiner has to be level so soon after its start, in one of so many attempts. */
const LEVEL_WITHIN_MS = 10_000
const JOIN_ATTEMPTS = 3

beforeAll(ensureBuilt)
afterEach(async () => {
  await killAll()
  await deleteFolders()
})

test('a data set survives a kill in the middle of a catch-up, and a late joiner is level in time', async () => {
  const folder = await temporaryFolder()
  const measured = stopwatch()
  const data = readDataSet(KEYS)
  const entries = [...data]
  const [singles, batched] = [join(folder, 'singles.ndjson'), join(folder, 'batched.ndjson')]
  await writeDataSet(singles, entries.slice(0, SINGLE_KEYS))
  await writeDataSet(batched, entries.slice(SINGLE_KEYS))
  expect(data.size).toBe(KEYS)
  measured(`read ${data.size} keys`)

  const alice = await PeerProcess.start(join(folder, 'alice'))
  await alice.run(`load ${singles} 1`)
  await alice.run(`load ${batched} ${BATCH_KEYS}`)
  const { nodes = 0, keys } = await alice.stats()
  expect(keys).toBe(data.size)
  measured(`loaded ${keys} keys as ${nodes} nodes`)

  const bobFolder = await killInCatchUp(folder, alice, nodes)
  measured('killed a peer in its catch-up')

  // What it had committed by then is there before it meets anybody.
  const bob = await PeerProcess.start(bobFolder)
  const { nodes: resumed = 0, heads } = await bob.stats()
  expect(resumed).toBeGreaterThanOrEqual(KILL_FROM * nodes)
  expect(resumed).toBeLessThan(nodes)
  expect(heads).toBe(1)
  measured(`restarted it with ${resumed} nodes`)
  await bob.run(`connect ${alice.address}`)
  await agree(alice, [bob])
  // It went on from there.
  expect(await bob.stats()).toMatchObject({ keys: KEYS, nodes, 'counters.remoteNodes': nodes - resumed })
  measured(`caught up on ${nodes - resumed} nodes`)

  let written = 0
  let levelMs = Number.POSITIVE_INFINITY
  // A machine that is busy with other things gets another chance to be quick, but each joiner has to be right.
  for (let attempt = 0; attempt < JOIN_ATTEMPTS && levelMs >= LEVEL_WITHIN_MS; attempt++) {
    const writing = keepWriting(alice, written)
    const joined = performance.now()
    const carol = await PeerProcess.start(join(folder, `carol${attempt}`), ['--peer', alice.address])
    const ready = performance.now()
    await levelWith(carol, alice)
    levelMs = performance.now() - joined
    const writtenMeanwhile = (await writing.stop()) - written
    written += writtenMeanwhile
    measured(
      `level ${Math.round(levelMs)} ms after its start, of which ${Math.round(ready - joined)} ms until it was ` +
        `ready, while ${writtenMeanwhile} keys were written`
    )
    await agree(alice, [bob, carol])
    expect(await carol.quit()).toBe(0)
  }
  expect(levelMs).toBeLessThan(LEVEL_WITHIN_MS)

  // Every byte of it, also where it was killed.
  expect(await bob.quit()).toBe(0)
  expect(await differences(bobFolder, data, written)).toEqual([])
  measured('compared every value')
})

/** The folder of a peer that was killed when it had a part of the nodes and not all. */
async function killInCatchUp(folder: string, from: PeerProcess, nodes: number): Promise<string> {
  for (let attempt = 0; attempt < KILL_ATTEMPTS; attempt++) {
    const data = join(folder, `bob${attempt}`)
    const peer = await PeerProcess.start(data, ['--peer', from.address])
    let have = 0
    while (have < KILL_FROM * nodes) have = await nodesOf(peer)
    expect(await peer.kill('SIGKILL')).toBe('SIGKILL')
    // On a fast machine it may be through between two looks: then it is tried again.
    if (have <= KILL_TO * nodes) return data
  }
  throw new Error(`No catch-up was seen in its middle in ${KILL_ATTEMPTS} attempts`)
}

/** Asking costs a peer time that it needs for catching up, so it is not asked all the time. */
const pause = () => wait(20)

async function nodesOf(peer: PeerProcess): Promise<number> {
  return (await peer.stats()).nodes!
}

/** Once the others have every node of the first, which does not write meanwhile, all digests are the same. */
async function agree(first: PeerProcess, others: PeerProcess[]): Promise<void> {
  const nodes = await nodesOf(first)
  const digest = await first.ask('digest')
  for (const other of others) {
    while ((await nodesOf(other)) < nodes) await pause()
    expect(await other.ask('digest')).toBe(digest)
  }
}

/**
 * Until a peer has as many nodes as the other had just before, though more are written all the time. All of them are
 * the other's: so it has every one.
 */
async function levelWith(peer: PeerProcess, other: PeerProcess): Promise<void> {
  for (;;) {
    const nodes = await nodesOf(other)
    if ((await nodesOf(peer)) >= nodes) return
    await pause()
  }
}

/** Writes keys one by one, a hundred or two in a second; `stop` tells which one would be the next. */
function keepWriting(peer: PeerProcess, first: number): { stop(): Promise<number> } {
  let stopped = false
  const next = (async () => {
    let count = first
    for (; !stopped; count++) {
      await peer.run(`put /live/${count} ${count}`)
      await wait(5)
    }
    return count
  })()
  // A test that fails never asks.
  next.catch(() => {})
  return {
    stop: async () => {
      stopped = true
      return await next
    }
  }
}

/** Keys that are missing, are too many or have another value in the folder of a peer. */
async function differences(folder: string, data: DataSet, liveKeys: number): Promise<string[]> {
  const expected = new Map(data)
  for (let count = 0; count < liveKeys; count++) expected.set(`/live/${count}`, Buffer.from(`${count}`))
  const datastore = new LevelDatastore(join(folder, 'store'))
  await datastore.open()
  const store = await createCrdtDatastore({ datastore })
  try {
    const different: string[] = []
    for await (const { key, value } of store.query({})) {
      const name = key.toString()
      const wanted = expected.get(name)
      if (wanted === undefined || Buffer.compare(wanted, value) !== 0) different.push(name)
      expected.delete(name)
    }
    return [...different, ...expected.keys()]
  } finally {
    await store.close()
    await datastore.close()
  }
}

/** Prints what took how long, because the figures are what the test is for. */
function stopwatch(): (what: string) => void {
  let last = performance.now()
  return (what) => {
    const now = performance.now()
    console.info(`${what} (${((now - last) / 1000).toFixed(1)} s)`)
    last = now
  }
}

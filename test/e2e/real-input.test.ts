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
const SINGLE_KEYS = 8_000
const BATCH_KEYS = 20
/** The catch-up is killed once so much of it is done, as long as not more than that is. */
const KILL_FROM = 0.1
const KILL_TO = 0.7
const KILL_ATTEMPTS = 5

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
  const { nodes, keys } = await alice.stats()
  expect(keys).toBe(data.size)
  measured(`loaded ${keys} keys as ${nodes} nodes`)

  const bobFolder = await killInCatchUp(folder, alice, nodes!)
  measured('killed a peer in its catch-up')

  // What it had committed by then is there before it meets anybody.
  const bob = await PeerProcess.start(bobFolder)
  const resumed = await bob.stats()
  expect(resumed.nodes).toBeGreaterThanOrEqual(KILL_FROM * nodes!)
  expect(resumed.nodes).toBeLessThan(nodes!)
  expect(resumed.heads).toBe(1)
  measured(`restarted it with ${resumed.nodes} nodes`)
  await bob.run(`connect ${alice.address}`)
  await reaches(bob, nodes!)
  expect(await bob.ask('digest')).toBe(await alice.ask('digest'))
  const caughtUp = await bob.stats()
  // It went on from there.
  expect(caughtUp.remoteNodes).toBe(nodes! - resumed.nodes!)
  measured(`caught up on ${caughtUp.remoteNodes} nodes`)

  const writing = keepWriting(alice)
  const joined = performance.now()
  const carol = await PeerProcess.start(join(folder, 'carol'), ['--peer', alice.address])
  const greeted = performance.now()
  await levelWith(carol, alice)
  const level = performance.now()
  const written = await writing.stop()
  await reaches(carol, (await alice.stats()).nodes!)
  const digest = await alice.ask('digest')
  expect(await carol.ask('digest')).toBe(digest)
  measured(
    `level ${Math.round(level - joined)} ms after its start (${Math.round(level - greeted)} ms after it was ready), ` +
      `while ${written} keys were written`
  )
  expect(level - joined).toBeLessThan(10_000)
  await reaches(bob, (await alice.stats()).nodes!)
  expect(await bob.ask('digest')).toBe(digest)

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
    while (have < KILL_FROM * nodes) have = (await peer.stats()).nodes!
    expect(await peer.kill('SIGKILL')).toBe('SIGKILL')
    // On a fast machine it may be through between two looks: then it is tried again.
    if (have <= KILL_TO * nodes) return data
  }
  throw new Error(`No catch-up was seen in its middle in ${KILL_ATTEMPTS} attempts`)
}

const pause = () => wait(20)

/** Asking costs the peer time that it needs for catching up, so it is not asked all the time. */
async function reaches(peer: PeerProcess, nodes: number): Promise<void> {
  while ((await peer.stats()).nodes! < nodes) await pause()
}

/** Until the peer has every node that the other had when it was asked, though more are written all the time. */
async function levelWith(peer: PeerProcess, other: PeerProcess): Promise<void> {
  for (;;) {
    const { nodes } = await other.stats()
    if ((await peer.stats()).nodes! >= nodes!) return
    await pause()
  }
}

/** Writes one key after the other; `stop` tells how many there were. */
function keepWriting(peer: PeerProcess): { stop(): Promise<number> } {
  let stopped = false
  const written = (async () => {
    let count = 0
    for (; !stopped; count++) await peer.run(`put /live/${count} ${count}`)
    return count
  })()
  // A test that fails never asks.
  written.catch(() => {})
  return {
    stop: async () => {
      stopped = true
      return await written
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

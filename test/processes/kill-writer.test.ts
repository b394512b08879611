// A writer that is killed again and again while it writes, always with the same folder: nothing that it acknowledged
// is lost, nothing shows half, and a peer that stays gets everything.
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { LevelDatastore } from 'datastore-level'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { createCrdtDatastore } from '../../src/index.ts'
import { oracle } from '../../src/testkit/oracle/oracle.ts'
import { ensureBuilt } from '../e2e/build.ts'
import { deleteFolders, temporaryFolder } from '../e2e/folders.ts'
import { killLineProcesses } from '../e2e/line-process.ts'
import { LabProcess } from './lab-process.ts'
import { Ledger } from './ledger.ts'
import { ROUNDS, SEED } from './rounds.ts'
import { fingerprint, randomFrom } from './workload.ts'

/** It is killed after so many acknowledged writes at most, with others under way. */
const ACKNOWLEDGED_MAX = 150
/** In one round of so many it is killed while it opens its store, too, up to so long after its start. */
const OPENING_EVERY = 4
const OPENING_MS_MAX = 900
const LEVEL_WITHIN_MS = 60_000

beforeAll(ensureBuilt)
afterEach(async () => {
  await killLineProcesses()
  await deleteFolders()
})

test('what a writer acknowledged before SIGKILL is there after each of many rounds, whole and sound, and reaches a peer', async () => {
  const random = randomFrom(`writer/${SEED}`)
  const folder = await temporaryFolder()
  const [data, bobData] = [join(folder, 'alice'), join(folder, 'bob')]
  const bob = await LabProcess.start(bobData)
  const ledger = new Ledger()
  const startedAt = performance.now()
  for (let round = 0; round < ROUNDS; round++) {
    if (round % OPENING_EVERY === OPENING_EVERY - 1) await killWhileOpening(data, random() * OPENING_MS_MAX)
    // Every other time the writes that are made at the same time are nodes of their own.
    const args = round % 2 === 0 ? ['--peer', bob.address] : ['--peer', bob.address, '--no-coalesce']
    const alice = await LabProcess.start(data, args, ledger.take)
    await expectKept(alice, ledger, `round ${round}`)
    await expectLevel(alice, bob, `round ${round}`)
    const goal = ledger.acknowledged + 1 + Math.floor(random() * ACKNOWLEDGED_MAX)
    alice.begin('write', { seed: SEED, from: ledger.next })
    await alice.until(() => ledger.acknowledged >= goal)
    await alice.kill()
  }
  const alice = await LabProcess.start(data, ['--peer', bob.address], ledger.take)
  await expectKept(alice, ledger, 'the end')
  const { nodes } = await expectLevel(alice, bob, 'the end')
  expect(new Map(await bob.call('state'))).toEqual(new Map(await alice.call('state')))
  expect((await bob.call('check')).problems).toEqual([])
  const { sync, counters } = await bob.call('stats')
  console.info(
    `${ROUNDS} kills of a writer in ${((performance.now() - startedAt) / 1000).toFixed(1)} s: ` +
      `${ledger.acknowledged} writes acknowledged and kept, ${ledger.keptUnasked} kept that were under way, ` +
      `${nodes} nodes; the peer's streams ${sync.streams}, duplicates ${counters.duplicateBlocks}`
  )
  await alice.close()
  await bob.close()
  await expectLikeOracle(data)
  await expectLikeOracle(bobData)
})

/** Opening is written to disk as well, and may be cut off anywhere. */
async function killWhileOpening(data: string, afterMs: number): Promise<void> {
  const alice = LabProcess.spawn(data)
  await wait(afterMs)
  await alice.kill()
}

async function expectKept(alice: LabProcess, ledger: Ledger, when: string): Promise<void> {
  expect(ledger.settle(await alice.call('state')), `${when}, seed ${SEED}`).toEqual([])
  expect((await alice.call('check')).problems, `${when}, seed ${SEED}`).toEqual([])
}

async function expectLevel(alice: LabProcess, bob: LabProcess, when: string) {
  const { digest, nodes } = await alice.call('stats')
  const level = await bob.call('reached', { digest, nodes, withinMs: LEVEL_WITHIN_MS })
  expect({ nodes: level.nodes, digest: level.digest }, `${when}, seed ${SEED}`).toEqual({ nodes, digest })
  return level
}

/** A folder whose process has ended holds exactly what an independent reading makes of its blocks. */
async function expectLikeOracle(data: string): Promise<void> {
  const datastore = new LevelDatastore(join(data, 'store'))
  await datastore.open()
  const store = await createCrdtDatastore({ datastore })
  try {
    const blocks: Uint8Array[] = []
    for await (const { bytes } of store.dag.traverse()) blocks.push(bytes)
    const expected = oracle(blocks)
    const there = new Map<string, string>()
    for await (const { key, value } of store.query({})) there.set(key.toString(), fingerprint(value))
    expect(there).toEqual(new Map([...expected.state].map(([key, value]) => [key, fingerprint(value)])))
    const heads = (await store.heads()).map(({ cid }) => cid.toString()).sort()
    expect(heads).toEqual([...expected.heads.values()].flat().sort())
    expect((await store.stats()).nodes).toBe(expected.nodes)
  } finally {
    await store.close()
    await datastore.close()
  }
}

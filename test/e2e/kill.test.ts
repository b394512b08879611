// A process that is killed while it writes: what it had acknowledged is there, and reaches the others.
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { ensureBuilt } from './build.ts'
import { deleteFolders, temporaryFolder } from './folders.ts'
import { killAll, PeerProcess } from './peer-process.ts'

const PUTS = 20_000
/** It is killed once so many are acknowledged, with the others still in its pipe. */
const ACKNOWLEDGED = 300

beforeAll(ensureBuilt)
afterEach(async () => {
  await killAll()
  await deleteFolders()
})

test('what a process acknowledged before SIGKILL is there after reopening, is announced, and reaches the others', async () => {
  const folder = await temporaryFolder()
  const killed = await PeerProcess.start(join(folder, 'alice'))
  const isAnswer = (line: string): boolean => line === 'ok'
  killed.pipe(Array.from({ length: PUTS }, (_, index) => `put /k/${index} ${index}`))
  await killed.until(() => killed.output.filter(isAnswer).length >= ACKNOWLEDGED)
  expect(await killed.kill('SIGKILL')).toBe('SIGKILL')
  const acknowledged = killed.output.filter(isAnswer).length
  expect(acknowledged).toBeGreaterThanOrEqual(ACKNOWLEDGED)
  expect(acknowledged).toBeLessThan(PUTS)

  const alice = await PeerProcess.start(join(folder, 'alice'))
  const bob = await PeerProcess.start(join(folder, 'bob'), ['--peer', alice.address])
  // The one that was under way may be there too, whole; it is one chain, so nothing is lost from its middle.
  const { keys = 0, nodes, heads } = await alice.stats()
  expect(keys).toBeGreaterThanOrEqual(acknowledged)
  expect(keys).toBeLessThan(PUTS)
  expect({ nodes, heads }).toEqual({ nodes: keys, heads: 1 })
  while ((await bob.stats()).nodes !== nodes) await wait(20)
  for (const peer of [alice, bob]) {
    const list = (await peer.run('list /k/')).slice(0, -1).sort()
    expect(list).toEqual(Array.from({ length: keys }, (_, index) => `/k/${index}\t${index}`).sort())
    expect(await peer.ask('digest')).toBe(await alice.ask('digest'))
  }
  // It goes on as if nothing had been.
  await alice.run('put /after 1')
  await bob.until(() => bob.changes.includes('put /after'))
})

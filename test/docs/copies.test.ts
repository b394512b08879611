// What docs/storage.md says of copies: one may be the start of another replica, a restored one catches up, and rows may
// be moved to another kind of datastore.
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { MemoryDatastore } from 'datastore-core'
import { LevelDatastore } from 'datastore-level'
import { Key } from 'interface-datastore'
import { expect, test } from 'vitest'
import type { CrdtDatastore } from '../../src/index.ts'
import { openLevel, openStore, temporaryFolder } from '../storage/open-store.ts'
import { Wire } from './wire.ts'

const topic = 'copies'
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

async function writeSome(store: CrdtDatastore, value: string): Promise<void> {
  for (let index = 0; index < 10; index++) await store.put(new Key(`/key/${index}`), encode(value))
}

/** A folder with a stopped store, and a copy of it. */
async function originalAndCopy(): Promise<[string, string]> {
  const [original, copy] = [join(temporaryFolder(), 'store'), join(temporaryFolder(), 'store')]
  const datastore = new LevelDatastore(original)
  const store = await openStore({ datastore, topic })
  await writeSome(store, 'before')
  await store.close()
  await datastore.close()
  cpSync(original, copy, { recursive: true })
  return [original, copy]
}

test('two replicas that began as copies of one folder write apart and converge', async () => {
  const [original, copy] = await originalAndCopy()
  const wire = new Wire()
  const one = await openStore({ datastore: await openLevel(original), topic, broadcaster: wire.end('one') })
  const two = await openStore({ datastore: await openLevel(copy), topic, broadcaster: wire.end('two') })
  wire.connected = false
  await one.put(new Key('/same'), encode('same'))
  await two.put(new Key('/same'), encode('same'))
  expect(await one.heads()).toEqual(await two.heads())
  await writeSome(one, 'by one')
  await writeSome(two, 'by two')
  expect(await one.digest()).not.toBe(await two.digest())
  wire.connected = true
  wire.flush()
  await expect.poll(async () => (await one.digest()) === (await two.digest())).toBe(true)
  // Ten before, one that both wrote, ten of each.
  expect((await one.stats()).nodes).toBe(31)
  expect((await one.verify()).ok && (await two.verify()).ok).toBe(true)
})

test('a copy that is restored gets what came since, its own writes too', async () => {
  const [original, copy] = await originalAndCopy()
  const wire = new Wire()
  const lost = await openStore({ datastore: await openLevel(original), topic, broadcaster: wire.end('lost') })
  wire.connected = false
  await writeSome(lost, 'after the copy')
  await lost.close()
  const restored = await openStore({
    datastore: await openLevel(copy),
    topic,
    broadcaster: wire.end('restored')
  })
  wire.connected = true
  wire.flush()
  await expect
    .poll(async () => new TextDecoder().decode(await restored.get(new Key('/key/9'))))
    .toBe('after the copy')
  expect((await restored.stats()).nodes).toBe(20)
  const { versions } = await restored.explain(new Key('/key/9'))
  expect(versions.map(({ origin }) => origin)).toEqual(['remote', 'local'])
})

test('rows that are copied to a datastore of another kind are the same store', async () => {
  const [original] = await originalAndCopy()
  const level = await openLevel(original)
  const memory = new MemoryDatastore()
  for await (const { key, value } of level.query({ prefix: '/crdt/' })) await memory.put(key, value)
  const moved = await openStore({ datastore: memory, topic })
  expect((await moved.stats()).keys).toBe(10)
  expect((await moved.verify()).ok).toBe(true)
  await expect(openStore({ datastore: memory, namespace: '/crdt/x', topic })).rejects.toMatchObject({
    name: 'NamespaceInUseError'
  })
})

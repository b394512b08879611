// Deltas in another form than go-ds-crdt's own: what a swarm has whose Go peers set a DeltaFactory.
import { Key } from 'interface-datastore'
import { expect, test } from 'vitest'
import { type Delta, type DeltaCodec, InvalidOptionError } from '../src/index.ts'
import { World } from './replica/world.ts'
import { FaultyDatastore } from './storage/faulty-datastore.ts'
import { openStore } from './storage/open-store.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** Deltas as JSON, values in hexadecimal digits. */
const json: DeltaCodec = {
  encode: ({ elements, priority, ...delta }: Delta) =>
    encode(
      JSON.stringify({
        ...delta,
        priority: priority.toString(),
        elements: elements.map(({ key, value }) => ({ key, value: Buffer.from(value).toString('hex') }))
      })
    ),
  decode: (bytes) => {
    const { elements, priority, ...delta } = JSON.parse(decode(bytes))
    return {
      ...delta,
      priority: BigInt(priority),
      elements: elements.map(({ key, value }: { key: string; value: string }) => ({
        key,
        value: new Uint8Array(Buffer.from(value, 'hex'))
      }))
    }
  }
}

test('replicas with the same codec converge, and their blocks are what it made', async () => {
  const world = new World(7)
  const [alice, bob] = await world.peers(['alice', 'bob'], { deltaCodec: json })
  for (let index = 0; index < 5; index++) void alice!.store.put(new Key(`/${index}`), encode(`${index}`))
  void bob!.store.put(new Key('/1'), encode('bob'), { dagName: 'side' })
  await world.clock.advance(1000)
  await world.clock.during(bob!.store.delete(new Key('/2')))
  await world.clock.advance(1000)
  expect(await alice!.store.digest()).toBe(await bob!.store.digest())
  expect(await alice!.get('/4')).toBe('4')
  expect(await alice!.get('/2')).toBeUndefined()
  for await (const { bytes } of bob!.store.dag.traverse()) expect(decode(bytes)).toContain('"elements":[')
  expect((await alice!.store.history(new Key('/2')).next()).value).toMatchObject({ alive: false })
  await world.close()
})

test('a store is opened, checked and purged by its codec', async () => {
  const datastore = new FaultyDatastore()
  const first = await openStore({ datastore, deltaCodec: json })
  await first.put(new Key('/a'), encode('1'))
  await first.put(new Key('/a'), encode('2'))
  await first.put(new Key('/a'), encode('3'), { dagName: 'side' })
  await first.close()
  const store = await openStore({ datastore, deltaCodec: json })
  expect(await store.verify()).toMatchObject({ ok: true, nodes: 3 })
  expect(await store.dag.purge('side')).toBe(1)
  expect(decode(await store.get(new Key('/a')))).toBe('2')
  await store.delete(new Key('/a'))
  expect(await store.has(new Key('/a'))).toBe(false)
  expect(await store.verify()).toMatchObject({ ok: true })
})

test('bytes that the codec refuses are a node without effects', async () => {
  const world = new World(8)
  const bob = await world.peer('bob', { deltaCodec: json })
  // A peer without the codec: what it writes is no JSON.
  const mallory = await world.peer('mallory')
  await world.clock.during(mallory.store.put(new Key('/a'), encode('1')))
  await world.clock.advance(1000)
  const { nodes, keys, counters } = await bob.store.stats()
  expect({ nodes, keys, odd: counters.oddBlocks }).toEqual({ nodes: 1, keys: 0, odd: 1 })
  await world.close()
})

test('what is no codec is refused by name', async () => {
  const opening = openStore({
    datastore: new FaultyDatastore(),
    deltaCodec: { encode: json.encode } as never
  })
  await expect(opening).rejects.toThrow(InvalidOptionError)
  await expect(opening).rejects.toThrow(/deltaCodec/)
})

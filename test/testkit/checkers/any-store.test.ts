// The check of a store against the oracle: any idle store passes it, and what shows something else is found out.
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { expect, test } from 'vitest'
import { type CrdtDatastore, createCrdtDatastore } from '../../../src/index.ts'
import { checkEqualsOracle } from '../../../src/testkit/index.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

async function written(): Promise<CrdtDatastore> {
  const store = await createCrdtDatastore({ datastore: new MemoryDatastore() })
  for (const value of ['one', 'two']) await store.put(new Key('/key'), bytes(value))
  await store.put(new Key('/gone'), bytes('three'))
  await store.delete(new Key('/gone'))
  return store
}

test('a store of an app, in no world, equals the oracle', async () => {
  const store = await written()
  await checkEqualsOracle({ name: 'alice', store })
  await store.close()
})

test('a store that shows another value is told by its name', async () => {
  const store = await written()
  const query = store.query.bind(store)
  store.query = async function* (...args) {
    for await (const pair of query(...args)) yield { ...pair, value: bytes('another') }
  }
  const checking = checkEqualsOracle({ name: 'alice', store })
  await expect(checking).rejects.toMatchObject({
    name: 'CheckError',
    message: expect.stringContaining('alice')
  })
  await store.close()
})

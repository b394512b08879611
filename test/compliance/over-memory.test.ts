// The whole compliance suite of interface-datastore on a store over a datastore without atomic batches.
import { MemoryDatastore } from 'datastore-core'
import { interfaceDatastoreTests } from 'interface-datastore-tests'
import { describe } from 'vitest'
import { createCrdtDatastore } from '../../src/index.ts'

describe('a store over MemoryDatastore', () => {
  interfaceDatastoreTests({
    setup: () => createCrdtDatastore({ datastore: new MemoryDatastore() }),
    teardown: (store) => store.close()
  })
})

// The compliance suite passes on a known good store: this proves that the harness itself works.
import { MemoryDatastore } from 'datastore-core'
import { interfaceDatastoreTests } from 'interface-datastore-tests'
import { describe } from 'vitest'

describe('MemoryDatastore', () => {
  interfaceDatastoreTests({
    setup: () => new MemoryDatastore(),
    teardown: () => {}
  })
})

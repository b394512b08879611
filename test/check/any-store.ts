// Stores of any DAG, whose blocks arrived in any way.
import type { MemoryDatastore } from 'datastore-core'
import fc from 'fast-check'
import { Key } from 'interface-datastore'
import { encodeMeta } from '../../src/storage/rows.ts'
import { anyDag, anyDelivery, type Delivery, divided, ordered } from '../crdt/dags.ts'
import { DraftReplica } from '../crdt/draft-replica.ts'

/** A closed store into which blocks came in this way, some of them after their DAG was purged. */
export async function storeOf(
  blocks: readonly Uint8Array[],
  delivery: Delivery,
  purged: string | undefined
): Promise<MemoryDatastore> {
  const replica = await DraftReplica.open()
  await replica.datastore.put(
    new Key('/crdt/m', false),
    encodeMeta({ layout: 1, leastReader: 1, topic: undefined })
  )
  const commits = divided(ordered(blocks, delivery.ranks), delivery.cuts)
  for (const [index, commit] of commits.entries()) {
    await replica.merge(commit)
    if (purged !== undefined && index === commits.length >> 1) await replica.purge(purged)
  }
  return replica.datastore
}

export const anyStore = [
  anyDag,
  anyDelivery(),
  fc.option(fc.constantFrom('', 'red'), { nil: undefined })
] as const

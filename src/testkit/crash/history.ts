/**
 * Short histories for crashes at every write: one replica that will die, and one that writes to it.
 *
 * Invariant: the same seed and the same kind of disk make the same history.
 */
import type { DatastoreKind } from '../disk/simulated-datastore.ts'
import { streamOf } from '../seeded-random.ts'
import { linkOf, replicasOf, StepMaker } from '../simulation/generate.ts'
import type { Profile } from '../simulation/profiles.ts'
import type { Script } from '../simulation/script.ts'

/** The replica that dies. */
export const VICTIM = 'alice'

/** What the victim's disk and store are. */
export interface Medium {
  kind: DatastoreKind
  durability: 'process' | 'fsync'
}

/** Every way in which a store can be kept. */
export const MEDIA: readonly Medium[] = [
  { kind: 'level', durability: 'process' },
  { kind: 'level', durability: 'fsync' },
  { kind: 'atomic', durability: 'process' },
  { kind: 'plain', durability: 'process' }
]

/** Local writes, writes of another replica, and both at once; stores that are closed and opened; DAGs that are dropped. */
const PROFILE: Profile = {
  ...{ replicas: 2, steps: 14, keys: 4, dagNames: ['', '', 'one'], waitMsMax: 400 },
  weights: {
    ...{ put: 22, delete: 10, batch: 10, together: 5, burst: 1, abort: 1, wait: 20 },
    ...{ partition: 3, heal: 5, close: 2, start: 5, purge: 1, resume: 1 }
  }
}

/** The history of a seed, over one kind of disk. */
export function historyOf(seed: number, medium: Medium): Script {
  const random = streamOf(seed, 'history')
  const replicas = { ...replicasOf(random, PROFILE), ...medium }
  const link = linkOf(random)
  return { seed, profile: 'history', replicas, link, steps: new StepMaker(random, PROFILE).steps() }
}

/**
 * What the users of a simulation's replicas were promised: every write that was acknowledged.
 *
 * Invariants: a promise counts from the moment in which its call resolved; one that a fault is allowed to break (a disk
 * that was lost, or power that went before anything was flushed) is marked so, and by nothing else.
 */
import { Key } from 'interface-datastore'
import type { SimulatedReplica } from '../simulated-replica.ts'

/** A write whose call resolved. */
export interface Acknowledged {
  replica: string
  /** What each key was given; undefined where it was removed. */
  values: Map<string, string | undefined>
  /** The CIDs of the versions that the writer saw of each key that it removed. */
  seen: Map<string, string[]>
  /** When it was asked for and when it was acknowledged, by one count of all such moments. */
  asked: number
  kept: number
  /** Whether the disk that had it was lost, so that others may never have got it. */
  mayBeLost: boolean
}

/** Rejections that a fault of the world explains. */
const EXPLAINED =
  /^(AbortError|CommitFailedError|StoreFailedError|ClosedError|DagIgnoredError|NotStartedError|DiskError)$/

export class WriteRecord {
  readonly acknowledged: Acknowledged[] = []
  /** Rejections that nothing explains. */
  readonly unexplained: unknown[] = []
  /** What was asked for, in order, whatever came of it. */
  readonly asked: Array<{ replica: string; keys: readonly string[]; asked: number }> = []
  #moments = 0
  attempted = 0

  /** Waits, without holding anybody up, for a write that was just made. */
  watch(
    replica: SimulatedReplica,
    write: Pick<Acknowledged, 'values' | 'seen'>,
    done: Promise<unknown>
  ): void {
    this.attempted++
    const entry = { replica: replica.name, ...write, asked: this.#moments++, kept: 0, mayBeLost: false }
    this.asked.push({ replica: replica.name, keys: [...write.values.keys()], asked: entry.asked })
    // A process that dies after this turn has kept its promise; its disk may still break it.
    const { disk } = replica
    done.then(
      () => {
        entry.mayBeLost = replica.disk !== disk
        entry.kept = this.#moments++
        this.acknowledged.push(entry)
      },
      (error: unknown) => {
        if (!(error instanceof Error && EXPLAINED.test(error.name))) this.unexplained.push(error)
      }
    )
  }

  /**
   * Whether its writer asked for another write of the key before it was acknowledged. The two may have shared a delta,
   * in which the later one counts.
   */
  isSuperseded({ replica, asked, kept }: Acknowledged, key: string): boolean {
    return this.asked.some((other) => {
      const isBetween = other.asked > asked && other.asked < kept
      return isBetween && other.replica === replica && other.keys.includes(key)
    })
  }

  /** The disk of a replica is gone, and with it what only it had. */
  diskLost(replica: string): void {
    for (const entry of this.acknowledged) if (entry.replica === replica) entry.mayBeLost = true
  }
}

/** The versions of a key that a replica shows now; what a delete of it has to remove. */
export async function versionsOf(replica: SimulatedReplica, key: string): Promise<string[]> {
  const cids: string[] = []
  for await (const { cid } of replica.store.getAll(new Key(key))) cids.push(cid.toString())
  return cids
}

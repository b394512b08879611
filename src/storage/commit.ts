/**
 * One commit: a set of row changes that becomes durable as a whole or not at all.
 *
 * Invariants: a row stands in a change set at most once (datastore-core's batches put first and delete after,
 * whatever the order of the calls); where the datastore's batch is not atomic, the whole set is first put as one
 * journal row, then applied, then the journal row goes, and opening the store finishes what it finds there.
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { WireReader } from '../codec/wire-reader.ts'
import { compareBytes } from '../crdt/winner.ts'
import { CommitFailedError, CorruptRowError, StoreFailedError } from '../errors.ts'
import type { RowStore } from './row-store.ts'

/** Rows to write and, as `null`, rows to delete. */
export class ChangeSet {
  readonly rows = new Map<string, Uint8Array | null>()

  put(row: string, value: Uint8Array): void {
    this.rows.set(row, value)
  }

  delete(row: string): void {
    this.rows.set(row, null)
  }
}

/** Makes change sets durable, by the datastore's own batch or by way of the journal. */
export interface Committer {
  /**
   * @throws CommitFailedError if nothing was written, so that it can be tried again.
   * @throws StoreFailedError if the datastore failed and the commit was decided, or may have been; nothing works until
   * reopening.
   */
  commit(changes: ChangeSet): Promise<void>
}

/** The way that the datastore allows. */
export function committerFor(rows: RowStore, journalRow: string, retriesMax: number): Committer {
  return rows.atomic ? atomicCommitter(rows) : journaledCommitter(rows, journalRow, retriesMax)
}

/** For datastores whose batch is atomic. */
export function atomicCommitter(rows: RowStore): Committer {
  let failure: StoreFailedError | undefined
  return {
    async commit(changes) {
      if (failure !== undefined) throw failure
      try {
        await rows.write(changes.rows)
      } catch (error) {
        if (await isUntouched(rows, changes)) throw new CommitFailedError(error)
        failure = new StoreFailedError(error)
        throw failure
      }
    }
  }
}

/**
 * Whether it is certain that nothing of a batch that failed was made. A write can fail after it was made, as one whose
 * flush failed, and then what is in memory is no longer what is on disk: going on would write over the difference.
 */
async function isUntouched(rows: RowStore, changes: ChangeSet): Promise<boolean> {
  const keys = [...changes.rows.keys()]
  try {
    const found = await rows.getMany(keys)
    // A batch is all or nothing, so one row that is not as it was to be tells for all.
    return keys.some((key, index) => {
      const [is, should] = [found[index], changes.rows.get(key) ?? undefined]
      return is === undefined || should === undefined ? is !== should : compareBytes(is, should) !== 0
    })
  } catch {
    return false
  }
}

/** For all others: one journal row decides, and is applied as often as it takes. */
export function journaledCommitter(rows: RowStore, journalRow: string, retriesMax: number): Committer {
  let failure: StoreFailedError | undefined
  return {
    async commit(changes) {
      if (failure !== undefined) throw failure
      try {
        await rows.write(new Map([[journalRow, encodeJournal(changes)]]))
      } catch (error) {
        if (await withdraw(rows, journalRow)) throw new CommitFailedError(error)
        failure = new StoreFailedError(error)
        throw failure
      }
      await rows.apply(async () => {
        for (let attempt = 0; ; attempt++) {
          try {
            await rows.write(changes.rows)
            await rows.write(new Map([[journalRow, null]]))
            return
          } catch (error) {
            if (attempt < retriesMax) continue
            failure = new StoreFailedError(error)
            throw failure
          }
        }
      })
    }
  }
}

/**
 * Sees to it that a journal row whose put failed does not come to life at the next opening, for it may have been
 * made all the same.
 *
 * @returns whether it is certain that there is none.
 */
async function withdraw(rows: RowStore, journalRow: string): Promise<boolean> {
  try {
    await rows.write(new Map([[journalRow, null]]))
    return true
  } catch {
    // A full disk deletes nothing either, and then it most likely did not put the row.
    return await rows.get(journalRow).then(
      (journal) => journal === undefined,
      () => false
    )
  }
}

/** Finishes a commit that was decided before a crash. Applying it twice does no harm. */
export async function replayJournal(rows: RowStore, journalRow: string): Promise<void> {
  const journal = await rows.get(journalRow)
  if (journal === undefined) return
  await rows.write(decodeJournal(journalRow, journal).rows)
  await rows.write(new Map([[journalRow, null]]))
}

const DELETE = 0
const PUT = 1

function encodeJournal(changes: ChangeSet): Uint8Array {
  const writer = new BinaryWriter()
  for (const [row, value] of changes.rows) {
    writer.uint32(value === null ? DELETE : PUT).string(row)
    if (value !== null) writer.bytes(value)
  }
  return writer.finish()
}

function decodeJournal(journalRow: string, bytes: Uint8Array): ChangeSet {
  const changes = new ChangeSet()
  // A damaged name must not reach the rows of others in the same datastore.
  const ownRows = journalRow.slice(0, journalRow.lastIndexOf('/') + 1)
  try {
    const reader = new WireReader(bytes)
    while (!reader.done) {
      const type = reader.safeInteger()
      const row = reader.string()
      // No row ends in a slash, and some datastores would drop it, which gives the name of another.
      if (!row.startsWith(ownRows) || row.endsWith('/'))
        throw new TypeError('it names a row that is not of this store')
      if (type === PUT) changes.put(row, reader.bytes())
      else if (type === DELETE) changes.delete(row)
      else throw new TypeError('what is to be done with a row is unknown')
    }
  } catch (error) {
    throw new CorruptRowError(journalRow, error instanceof Error ? error.message : String(error))
  }
  return changes
}

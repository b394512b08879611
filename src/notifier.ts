/**
 * From what the replica tells to what users see: events, watches, hooks.
 *
 * Invariants: nothing is told before its commit is durable; whoever is told cannot hurt the store or each other;
 * what nobody listens to is not made, or an awaited put would take 25% more of the main thread and a merged delta 10%.
 */
import { Key } from 'interface-datastore'
import { cidFromBlockId } from './codec/block-id.ts'
import type { Change, CrdtDatastoreEvents, Head } from './events.ts'
import type { ReplayedChange } from './inspect/replay.ts'
import type { Gap } from './replica/gap-draft.ts'
import type { Divergence, RefusedBlock, ReplicaListener, SyncNumbers } from './replica/listener.ts'
import type { Committed } from './replica/staged-commit.ts'
import type { StoredHead } from './storage/rows.ts'
import type { Watches } from './watch.ts'

/** Called after a commit for each key that changed, as go-ds-crdt's hooks are. Exceptions are logged. */
export interface Hooks {
  putHook?: ((key: Key, value: Uint8Array) => void) | undefined
  deleteHook?: ((key: Key) => void) | undefined
}

export interface NotifierInit extends Hooks {
  listenerCount(type: keyof CrdtDatastoreEvents): number
  dispatch<K extends keyof CrdtDatastoreEvents>(type: K, detail: CrdtDatastoreEvents[K]['detail']): void
  /** The watches of the replica that runs. */
  watches(): Watches | undefined
  /** A hook threw. */
  onError(error: unknown): void
}

export class Notifier implements ReplicaListener {
  readonly #init: NotifierInit

  constructor(init: NotifierInit) {
    this.#init = init
  }

  committed(committed: Committed): void {
    const { sequence, headsAdded, headsRemoved, gapsOpened, gapsClosed } = committed
    this.#changed(committed)
    if (this.#isHeard('heads') && (headsAdded.length > 0 || headsRemoved.length > 0)) {
      const [added, removed] = [headsAdded.map(headOf), headsRemoved.map(headOf)]
      this.#init.dispatch('heads', { added, removed, sequence })
    }
    if (this.#isHeard('gap')) {
      for (const gap of gapsOpened) this.#gap(gap, 'opened')
      for (const gap of gapsClosed) this.#gap(gap, 'closed')
    }
  }

  syncStarted(from: string): void {
    this.#init.dispatch('sync:start', { from })
  }

  syncProgressed(progress: SyncNumbers): void {
    this.#init.dispatch('sync:progress', progress)
  }

  syncEnded(result: SyncNumbers): void {
    this.#init.dispatch('sync:end', result)
  }

  blockRefused({ from, fault, id }: RefusedBlock): void {
    if (!this.#isHeard('invalid-block')) return
    const cid = id === undefined ? {} : { cid: cidFromBlockId(id) }
    this.#init.dispatch('invalid-block', { from, fault, ...cid })
  }

  failed(error: unknown): void {
    this.#init.watches()?.fail(error)
  }

  diverged({ peer, ours, theirs }: Divergence): void {
    this.#init.dispatch('divergence', { peer, ours: hexOf(ours), theirs: hexOf(theirs) })
  }

  #changed({ changes: changed, origin, sequence }: Committed): void {
    const watches = this.#init.watches()
    const { putHook, deleteHook } = this.#init
    const isWatched = watches !== undefined && !watches.isEmpty
    const isHeard = this.#isHeard('change')
    if (!isWatched && !isHeard && putHook === undefined && deleteHook === undefined) {
      watches?.committed([], sequence)
      return
    }
    // The value may be the writer's own bytes, or a part of a large block that whoever waits would hold on to.
    const changes = changed.map((change) => changeOf({ ...change, value: copyOf(change.value), origin }))
    watches?.committed(changes, sequence)
    for (const change of changes) {
      if (isHeard) this.#init.dispatch('change', change)
      this.#callHooks(change)
    }
  }

  #callHooks({ key, value }: Change): void {
    const { putHook, deleteHook, onError } = this.#init
    try {
      const result: unknown = value === undefined ? deleteHook?.(key) : putHook?.(key, value)
      if (result instanceof Promise) result.catch(onError)
    } catch (error) {
      onError(error)
    }
  }

  #gap({ missing, linkedBy, dagName }: Gap, state: 'opened' | 'closed'): void {
    const [missingCid, linkedByCid] = [cidFromBlockId(missing), cidFromBlockId(linkedBy)]
    this.#init.dispatch('gap', { state, missing: missingCid, linkedBy: linkedByCid, dagName })
  }

  #isHeard(type: keyof CrdtDatastoreEvents): boolean {
    return this.#init.listenerCount(type) > 0
  }
}

function copyOf(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes === undefined ? undefined : new Uint8Array(bytes)
}

/** A change as users see it. */
export function changeOf(change: ReplayedChange & { previous?: Uint8Array | undefined }): Change {
  const { key, value, previous, id, origin, sequence } = change
  return {
    key: new Key(key, false),
    ...(value === undefined ? {} : { value }),
    ...(previous === undefined ? {} : { previous }),
    ...{ origin, cid: cidFromBlockId(id), sequence }
  }
}

export function headOf({ id, priority, dagName }: StoredHead): Head {
  return { cid: cidFromBlockId(id), priority, dagName }
}

/** Bytes as hexadecimal digits, as digests are told. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

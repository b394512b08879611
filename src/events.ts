/**
 * The events of a store, and a target whose listeners cannot hurt it or each other.
 *
 * Invariants: an event is dispatched after its commit is durable, in commit order; a listener that throws or
 * rejects is counted and logged, where a plain EventTarget would end the process.
 */
import type { Key } from 'interface-datastore'
import { type EventHandler, TypedEventEmitter } from 'main-event'
import type { CID } from 'multiformats/cid'

/** One key whose value is another after a commit. */
export interface Change {
  key: Key
  /** Absent where the key is gone. A tombstone that reveals an older value gives that value. */
  value?: Uint8Array
  /** The value before the commit; absent where the key is new, and where the change is `replayed`. */
  previous?: Uint8Array
  /** Whether this replica wrote it or another one did. */
  origin: 'local' | 'remote'
  /** The node that touched the key last in its commit. */
  cid: CID
  /** The sequence number of that node here; it never decreases from one change to the next. */
  sequence: number
  /**
   * Whether it was read from the log afterwards (`watch` with `since`, or a slow consumer): then the value is what
   * the key has now, values in between are left out, and what the key had before is not known.
   */
  replayed?: true
}

/** A head of a DAG: an applied node to which no applied node of the same DAG links. */
export interface Head {
  /** Version 1, dag-pb, sha2-256. */
  cid: CID
  /** The causal height of the node, an exact uint64. */
  priority: bigint
  /** `''` is the unnamed DAG. */
  dagName: string
}

/** How one commit changed the heads. */
export interface HeadsChange {
  added: Head[]
  removed: Head[]
  /** The sequence number of the commit's last node. */
  sequence: number
}

/** Why a replica began to synchronise. */
export interface SyncStart {
  /** The peer that has what is missing here; `''` where that is not known any more, after a restart. */
  from: string
}

/** How far a synchronisation is. */
export interface SyncProgress {
  /** Nodes of others merged since it began. */
  nodes: number
  /** Blocks that are here and wait for their ancestors. */
  pending: number
  /** Blocks that are looked for. */
  wanted: number
  /** Heads that nobody had, and that were dropped. */
  droppedHeads: number
  /** Milliseconds since it began. */
  elapsedMs: number
}

/** A branch was merged without an ancestor that nobody had, or that ancestor came. */
export interface GapChange {
  state: 'opened' | 'closed'
  missing: CID
  /** The node that links to it, and its DAG. */
  linkedBy: CID
  dagName: string
}

/** A block from a peer that is bad: it was dropped, or it is a node without effects. */
export interface InvalidBlock {
  from: string
  /**
   * `too-large` (over `blockBytesMax`) and `mismatched` (other bytes than were asked for) are dropped;
   * `not-dag-pb` and `invalid-delta` are nodes without effects, as in go-ds-crdt.
   */
  fault: 'too-large' | 'mismatched' | 'not-dag-pb' | 'invalid-delta'
  /** Absent where the block was dropped. */
  cid?: CID
}

/** A peer claims another state for the same nodes: it is broken or lies, or this replica is broken. See `verify`. */
export interface Divergence {
  peer: string
  /** This replica's digest, and the peer's. */
  ours: string
  theirs: string
}

/** The events of a `CrdtDatastore`, by name. */
export interface CrdtDatastoreEvents {
  /** A key changed; once for each changed key of a commit, after it is durable, in commit order. */
  change: CustomEvent<Change>
  /** A commit changed the heads. */
  heads: CustomEvent<HeadsChange>
  /** Heads were heard of that have to be fetched. What comes whole with its announcement begins no sync. */
  'sync:start': CustomEvent<SyncStart>
  /** A commit merged some of what was missing. */
  'sync:progress': CustomEvent<SyncProgress>
  /** Everything that was heard of is merged, or was given up. */
  'sync:end': CustomEvent<SyncProgress>
  gap: CustomEvent<GapChange>
  'invalid-block': CustomEvent<InvalidBlock>
  divergence: CustomEvent<Divergence>
}

type Handler = EventHandler<CustomEvent>
type RemoveOptions = boolean | EventListenerOptions | undefined
type AddOptions = boolean | AddEventListenerOptions | undefined

/** A TypedEventTarget that survives its listeners. */
export class GuardedEventTarget extends TypedEventEmitter<CrdtDatastoreEvents> {
  readonly #guarded = new WeakMap<Handler, (event: Event) => void>()
  readonly #onError: (error: unknown) => void

  constructor(onError: (error: unknown) => void) {
    super()
    this.#onError = onError
  }

  /** Calls the listener for each such event, until it is removed or its `signal` is aborted. What it throws is logged. */
  override addEventListener<K extends keyof CrdtDatastoreEvents>(
    type: K,
    listener: EventHandler<CrdtDatastoreEvents[K]> | null,
    options?: AddOptions
  ): void {
    if (listener !== null) super.addEventListener(type, this.#guard(listener as Handler), options)
  }

  /** Calls the listener no more. */
  override removeEventListener(type: string, listener?: unknown, options?: RemoveOptions): void {
    // The base class calls this with what it knows the listener as, for `once` and for a signal.
    const known = this.#guarded.get(listener as Handler) ?? (listener as Handler)
    super.removeEventListener(type as keyof CrdtDatastoreEvents, known, options)
  }

  #guard(listener: Handler): (event: Event) => void {
    const known = this.#guarded.get(listener)
    if (known !== undefined) return known
    const guarded = (event: Event): void => {
      try {
        const result: unknown =
          typeof listener === 'function'
            ? listener(event as CustomEvent)
            : listener.handleEvent(event as CustomEvent)
        if (result instanceof Promise) result.catch(this.#onError)
      } catch (error) {
        this.#onError(error)
      }
    }
    this.#guarded.set(listener, guarded)
    return guarded
  }
}

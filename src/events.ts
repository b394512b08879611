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
  /** Absent where the key is gone. */
  value?: Uint8Array
  /** The value before the commit; absent where the key is new. */
  previous?: Uint8Array
  /** Whether this replica wrote it or another one did. */
  origin: 'local' | 'remote'
  /** The node that touched the key last in this commit. */
  cid: CID
  /** The sequence number of the commit: what comes later has a greater one. */
  sequence: number
}

/** The events of a `CrdtDatastore`, by name. */
export interface CrdtDatastoreEvents {
  /** A key changed; once for each changed key of a commit. */
  change: CustomEvent<Change>
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

  override addEventListener<K extends keyof CrdtDatastoreEvents>(
    type: K,
    listener: EventHandler<CrdtDatastoreEvents[K]> | null,
    options?: AddOptions
  ): void {
    if (listener !== null) super.addEventListener(type, this.#guard(listener as Handler), options)
  }

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

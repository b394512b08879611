/**
 * Every error that a caller can do something about, one class each, told apart by its stable `name`.
 *
 * A message names the option, key or folder, its value, the limit it met and the way out. A missing key is
 * interface-store's `NotFoundError`, an aborted wait the signal's own reason.
 */

/** An option has a value that cannot be. Thrown by `createCrdtDatastore`, before anything runs. */
export class InvalidOptionError extends Error {
  override name = 'InvalidOptionError'
  /** The option's name. */
  readonly option: string

  constructor(option: string, value: unknown, expected: string) {
    super(`Option ${option} is ${describe(value)}, but it must be ${expected}`)
    this.option = option
  }
}

/** A key cannot be used: the root, a climb above it, text that UTF-8 cannot carry, or too long. */
export class InvalidKeyError extends Error {
  override name = 'InvalidKeyError'
  readonly key: string

  constructor(key: string, reason: string) {
    super(`Key ${quote(key)} cannot be used: ${reason}`)
    this.key = key
  }
}

/** A DAG name that go-ds-crdt would lose, or that is too long. */
export class InvalidDagNameError extends Error {
  override name = 'InvalidDagNameError'
  readonly dagName: string

  constructor(dagName: string, reason: string) {
    super(`DAG name ${quote(dagName)} cannot be used: ${reason}`)
    this.dagName = dagName
  }
}

/** The DAG was purged, and is not written to until it is taken up again. */
export class DagIgnoredError extends Error {
  override name = 'DagIgnoredError'
  readonly dagName: string

  constructor(dagName: string) {
    super(
      `DAG ${quote(dagName)} was purged and is ignored here, so that nothing can be written to it; ` +
        'call dag.resume to take it up again'
    )
    this.dagName = dagName
  }
}

/** A delta that was given to `dag.publish` cannot become a node. Nothing was written. */
export class InvalidDeltaError extends Error {
  override name = 'InvalidDeltaError'

  constructor(reason: string) {
    super(`The delta cannot be published: ${reason}`)
  }
}

/** A CID that cannot name a node: nodes are dag-pb blocks hashed by sha2-256. */
export class InvalidCidError extends Error {
  override name = 'InvalidCidError'
  readonly cid: string

  constructor(cid: string) {
    super(`${cid} cannot name a node; give the CID of a dag-pb block (code 0x70) hashed by sha2-256`)
    this.cid = cid
  }
}

/** One key and value do not fit into a node. Nothing was written and the key is unchanged. */
export class ValueTooLargeError extends Error {
  override name = 'ValueTooLargeError'
  readonly key: string

  constructor(key: string, bytes: number, limit: number) {
    super(
      `The value of ${quote(key)} has ${bytes} bytes and does not fit into a delta of ${limit} bytes ` +
        '(option deltaBytesMax); store it in parts, or store a reference to it'
    )
    this.key = key
  }
}

/** What was given as a value is no Uint8Array. */
export class InvalidValueError extends Error {
  override name = 'InvalidValueError'
  readonly key: string

  constructor(key: string, value: unknown) {
    super(`The value of ${quote(key)} is ${describe(value)}, but it must be a Uint8Array; encode it first`)
    this.key = key
  }
}

/** The store was used before `start()` or after `stop()`. */
export class NotStartedError extends Error {
  override name = 'NotStartedError'

  constructor() {
    super('The store is not started; await start() before using it')
  }
}

/** The store was used after `close()`. A write that was in flight then was not made. */
export class ClosedError extends Error {
  override name = 'ClosedError'

  constructor() {
    super('The store is closed; create a new one over the same datastore to go on')
  }
}

/** Another process holds the lock of the datastore's folder. */
export class DatastoreLockedError extends Error {
  override name = 'DatastoreLockedError'
  /** The folder, where the datastore tells it. */
  readonly location: string | undefined

  constructor(location: string | undefined, cause: unknown) {
    super(
      `The datastore${location === undefined ? '' : ` in ${quote(location)}`} is locked: another process has ` +
        'it open. Stop that process, or give this one a folder of its own',
      { cause }
    )
    this.location = location
  }
}

/** The datastore could not be opened for another reason than a lock. */
export class DatastoreOpenError extends Error {
  override name = 'DatastoreOpenError'

  constructor(location: string | undefined, cause: unknown) {
    super(
      `The datastore${location === undefined ? '' : ` in ${quote(location)}`} cannot be read: ${reason(cause)}. ` +
        'Open it before it is given, and see that the folder exists and can be written',
      { cause }
    )
  }
}

/** Two stores of this process share a datastore and their namespaces overlap. */
export class NamespaceInUseError extends Error {
  override name = 'NamespaceInUseError'

  constructor(namespace: string, other: string) {
    super(
      `Namespace ${quote(namespace)} of this datastore overlaps with ${quote(other)}, which another store of ` +
        'this process has open; close that one, or choose namespaces neither of which lies in the other'
    )
  }
}

/** The rows were written by a newer version than this one. Nothing was written. */
export class LayoutTooNewError extends Error {
  override name = 'LayoutTooNewError'

  constructor(found: number, known: number) {
    super(
      `The store has layout ${found} and this version reads layouts up to ${known}; ` +
        'use the version that wrote it, or a newer one'
    )
  }
}

/** The store belongs to another topic. Nothing was written. */
export class TopicMismatchError extends Error {
  override name = 'TopicMismatchError'

  constructor(stored: string, given: string) {
    super(
      `The store belongs to topic ${quote(stored)} and cannot be opened under ${quote(given)} (option topic), ` +
        'because two topics would merge for good; use another datastore or another namespace'
    )
  }
}

/** A row of the store does not say what its layout promises. */
export class CorruptRowError extends Error {
  override name = 'CorruptRowError'

  constructor(row: string, reason: string) {
    super(
      `Row ${quote(row)} of the store is damaged: ${reason}; ` +
        'repair() mends it, on a store that is made with start: false where it cannot be started'
    )
  }
}

/** The datastore refused a commit. Nothing of it was written, and it can be tried again. */
export class CommitFailedError extends Error {
  override name = 'CommitFailedError'

  constructor(cause: unknown) {
    super(
      `The datastore refused the write: ${reason(cause)}. Nothing was written; mend the cause and try again`,
      {
        cause
      }
    )
  }
}

/**
 * The datastore failed a commit that is made all the same, in whole or, where it goes by way of the journal, in part; or
 * it is not known whether it is. The store refuses everything until it is opened again, which finishes the commit.
 */
export class StoreFailedError extends Error {
  override name = 'StoreFailedError'

  constructor(cause: unknown) {
    super(
      `The datastore failed in the middle of a commit: ${reason(cause)}. Mend the cause and open the store again, ` +
        'which finishes the commit',
      { cause }
    )
  }
}

/** More writes wait than the limit allows. Nothing of this one was written. */
export class WriteQueueFullError extends Error {
  override name = 'WriteQueueFullError'

  constructor(limit: number) {
    super(`${limit} bytes of writes wait already (option writeQueueBytesMax); await some of them before more`)
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}

function describe(value: unknown): string {
  if (typeof value === 'string') return quote(value)
  if (value === null || typeof value !== 'object')
    return typeof value === 'function' ? 'a function' : String(value)
  return `a ${value.constructor?.name ?? 'value'}`
}

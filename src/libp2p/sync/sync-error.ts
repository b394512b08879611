/**
 * Why a peer could not be synced with.
 */
import type { PeerName } from '../../replica/ports.ts'

/**
 * - `unreachable`: there is no connection to it, or no stream could be opened
 * - `unsupported`: it does not speak the protocol
 * - `unknown-topic`, `not-allowed`, `busy`, `version`: it refused
 * - `timeout`: it sent or took nothing for too long
 * - `too-slow`: it fell under the least rate
 * - `invalid`: what it sent breaks the protocol
 * - `closed`: it ended or reset the stream in the middle of something
 * - `stopped`: the exchange was stopped, or the peer is not allowed here
 */
export type SyncFailure =
  | 'unreachable'
  | 'unsupported'
  | 'unknown-topic'
  | 'not-allowed'
  | 'busy'
  | 'version'
  | 'timeout'
  | 'too-slow'
  | 'invalid'
  | 'closed'
  | 'stopped'

/** A request to one peer failed. Another peer can be asked, or the same one later. */
export class SyncError extends Error {
  static override readonly name = 'SyncError'
  override name = 'SyncError'
  readonly reason: SyncFailure
  readonly peer: PeerName | undefined

  constructor(reason: SyncFailure, message: string, options: { peer?: PeerName; cause?: unknown } = {}) {
    super(options.peer === undefined ? message : `${message} (peer ${options.peer})`, {
      cause: options.cause
    })
    this.reason = reason
    this.peer = options.peer
  }
}

/** Any failure as a `SyncError`: what is not one already comes from a stream that broke. */
export function toSyncError(error: unknown, peer: PeerName): SyncError {
  if (error instanceof SyncError && error.peer !== undefined) return error
  if (error instanceof SyncError)
    return new SyncError(error.reason, error.message, { peer, cause: error.cause })
  const message = error instanceof Error ? error.message : String(error)
  return new SyncError('closed', `The stream broke: ${message}`, { peer, cause: error })
}

/**
 * The faults of the TCP proxy.
 *
 * Invariant: nothing of Node is imported here, so that the types which users see need none of Node's.
 */

/** What is done to everything that passes in one direction, until something else is said. */
export interface TcpFaults {
  /**
   * How long every byte is on its way, in milliseconds.
   *
   * @default 0
   */
  latencyMs: number
  /**
   * What is added to that at most, another part of it for each read of the socket. Bytes never overtake each other.
   *
   * @default 0
   */
  jitterMs: number
  /**
   * What all connections together may pass in a second.
   *
   * @default Infinity
   */
  bytesPerSecond: number
  /**
   * How many bytes at most are written at once; 1 for one byte at a time.
   *
   * @default Infinity
   */
  sliceBytes: number
  /**
   * Whether bytes and ends are held back, while the connection stays open. They go on when this ends.
   *
   * @default false
   */
  stalled: boolean
  /**
   * Whether bytes and ends vanish without a word, as behind a router that forgot the connection. A connection that
   * lost bytes stays dead in this direction for good.
   *
   * @default false
   */
  dropped: boolean
  /**
   * Whether only the end of a connection is held back, be it a FIN or a RST: bytes pass, and the receiver never learns
   * that the sender is gone.
   *
   * @default false
   */
  withholdsEnd: boolean
}

/** A direction without faults. */
export const NO_FAULTS: Readonly<TcpFaults> = Object.freeze({
  latencyMs: 0,
  jitterMs: 0,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  sliceBytes: Number.POSITIVE_INFINITY,
  stalled: false,
  dropped: false,
  withholdsEnd: false
})

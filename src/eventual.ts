/**
 * Values that are here at once or come later.
 *
 * An awaited put reads and hashes at once where it can, and then waits for its write alone. Each asynchronous function
 * that it goes through would cost it half a kilobyte to one and a half, and a turn of the queue of microtasks.
 */

/** A value that is here, or a promise of it. */
export type Eventual<T> = T | Promise<T>

/** Goes on with a value: at once where it is here. */
export function whenReady<T, R>(value: Eventual<T>, next: (value: T) => Eventual<R>): Eventual<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}

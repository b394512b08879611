/**
 * Values that are here at once or come later.
 *
 * Where the platform reads and hashes at once, a block of a stream waits for nothing until its commit, and goes through
 * no asynchronous function. If `whenReady` were one, and blocks came from an asynchronous generator in place of
 * `OneByOne`, a merged delta would allocate 46% more and take 14% more of the main thread, and a key of a batch would
 * allocate 17% more.
 */

/** A value that is here, or a promise of it. */
export type Eventual<T> = T | Promise<T>

/** Goes on with a value: at once where it is here. */
export function whenReady<T, R>(value: Eventual<T>, next: (value: T) => Eventual<R>): Eventual<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/**
 * Waiting that a signal ends at once, while what is waited for goes on unattended.
 */

/** Settles like the promise, or rejects with the signal's reason as soon as that is aborted. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return signal === undefined ? promise : raceAbort(promise, signal)
}

async function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(signal.reason)
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([aborted.promise, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/**
 * Waits for what others will settle, and no longer than until the signal is aborted.
 *
 * @param begin - makes the resolvers known to them; what it returns takes them back, however the wait ends.
 */
export async function waitUnlessAborted(
  signal: AbortSignal | undefined,
  begin: (resolve: () => void, reject: (reason: unknown) => void) => () => void
): Promise<void> {
  signal?.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const end = begin(resolve, reject)
  try {
    await untilAborted(promise, signal)
  } finally {
    end()
  }
}

/** Yields what the source yields, until the signal is aborted. */
export async function* untilAbortedEach<T>(
  source: AsyncGenerator<T>,
  signal: AbortSignal | undefined
): AsyncGenerator<T> {
  if (signal === undefined) {
    yield* source
    return
  }
  try {
    for (;;) {
      signal.throwIfAborted()
      const next = await untilAborted(source.next(), signal)
      if (next.done) return
      yield next.value
    }
  } finally {
    // A source that hangs would hold up its end, so that is not waited for after an abort.
    const ended = source.return(undefined)
    if (signal.aborted) ended.catch(() => {})
    else await ended
  }
}

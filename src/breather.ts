/**
 * Lets the rest of the program run in the middle of long work, which otherwise, where every wait is a microtask,
 * would hold up the app and even the commits that the work is for.
 */

/** The parts of the engine's clock that it takes. */
interface SliceClock {
  now(): number
  setTimeout(callback: () => void, ms: number): unknown
}

/** How long work may go on at a stretch. */
const SLICE_MS = 10

/**
 * A function that is called often, and every now and then ends only after everything else that is due has run.
 *
 * @param between - what is done between two slices, and may throw to end the work.
 */
export function breather(
  clock: SliceClock,
  between?: () => Promise<void> | void
): () => Promise<void> | undefined {
  let since = clock.now()
  return () => {
    if (clock.now() - since < SLICE_MS) return undefined
    return new Promise<void>((resolve) => clock.setTimeout(resolve, 0)).then(between).finally(() => {
      since = clock.now()
    })
  }
}

// Runs a target on one input, and says what is wrong: with the result, or with how it came about.
import type { Target } from './target.ts'

/** Time of the processor, which a busy machine does not make longer. */
const CPU_MS_MAX = 5000

export interface Failure {
  /** What failed, the same for every input that fails in this way. */
  kind: string
  error: unknown
}

/** Rejections that nobody handled; they name no input, so they count for the one that runs when they come. */
const unhandled: unknown[] = []

/** Begins to see unhandled rejections. @returns what ends it. */
export function watchRejections(): () => void {
  const onRejection = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', onRejection)
  return () => void process.off('unhandledRejection', onRejection)
}

/** The class of what came of an input, or how it failed. */
export async function execute(target: Target, input: Uint8Array): Promise<string | Failure> {
  const given = input.slice()
  const began = process.cpuUsage()
  try {
    // A decoder's result is not waited for, because a turn of the loop costs more than most decoders do.
    const running = target.run(input)
    const outcome = typeof running === 'string' ? running : await running
    if (typeof running !== 'string' && unhandled.length > 0) {
      return { kind: 'unhandled rejection', error: unhandled.splice(0)[0] }
    }
    const { user, system } = process.cpuUsage(began)
    if ((user + system) / 1000 > CPU_MS_MAX) return failure(new Error('It takes too long'))
    return Buffer.compare(given, input) === 0 ? outcome : failure(new Error('The input was changed'))
  } catch (error) {
    return failure(error)
  }
}

function failure(error: unknown): Failure {
  if (!(error instanceof Error)) return { kind: 'thrown value', error }
  // Numbers in a message depend on the input, and a smaller one is to count as the same failure.
  return { kind: `${error.name}: ${error.message.slice(0, 200).replace(/\d+/g, 'N')}`, error }
}

// Makes a failing input smaller as long as it fails in the same way: ever shorter ranges are left out, then bytes
// become zero.
import { execute, type Failure } from './execute.ts'
import type { Target } from './target.ts'

/** An input of a slow handler is not worth more than so many tries. */
const TRIES_MAX = 4000

export async function shrink(target: Target, input: Uint8Array, { kind }: Failure): Promise<Uint8Array> {
  let smallest = input
  let tries = 0
  const stillFails = async (candidate: Uint8Array): Promise<boolean> => {
    if (tries++ >= TRIES_MAX) return false
    const outcome = await execute(target, candidate)
    if (typeof outcome === 'string' || outcome.kind !== kind) return false
    smallest = candidate
    return true
  }
  for (let size = Math.ceil(input.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < smallest.length; ) {
      const without = Buffer.concat([smallest.subarray(0, from), smallest.subarray(from + size)])
      if (!(await stillFails(new Uint8Array(without)))) from += size
    }
  }
  for (let index = 0; index < smallest.length; index++) {
    if (smallest[index] === 0) continue
    const zeroed = smallest.slice()
    zeroed[index] = 0
    await stillFails(zeroed)
  }
  return smallest
}

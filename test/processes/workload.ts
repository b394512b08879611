/**
 * What a writer writes, as a pure function of a seed: so that the test and the process that it kills mean the same.
 *
 * Every lane has keys of its own and makes one step after the other, so that what it must have left behind is known
 * whatever the other lanes did at the same time.
 */
import { createHash } from 'node:crypto'

/** A put if it has a size, else a delete. The stamp makes the value of every put another one. */
export interface Change {
  key: string
  stamp: string
  size?: number
}

/** One write: a put, a delete or a batch. */
export interface Step {
  lane: number
  index: number
  changes: Change[]
}

/** Lanes that write at the same time, and keys of each. */
export const LANES = 6
const KEYS = 24

const BATCH_CHANGES_MAX = 30
const SMALL_BYTES_MAX = 300
/** A batch of these is larger than a node may be, so that it becomes several. */
const LARGE_BYTES = 60_000

/** The step of a lane with this number. */
export function stepOf(seed: number, lane: number, index: number): Step {
  const random = randomFrom(`${seed}/${lane}/${index}`)
  const kind = random()
  const changes: Change[] = []
  const count = kind < 0.7 ? 1 : 2 + Math.floor(random() * (BATCH_CHANGES_MAX - 1))
  const isHuge = kind > 0.99
  for (let position = 0; position < (isHuge ? BATCH_CHANGES_MAX : count); position++) {
    const key = `/lane/${lane}/${Math.floor(random() * KEYS)}`
    const stamp = `${seed}/${lane}/${index}/${position}`
    const isDelete = !isHuge && random() < 0.25
    const small = Math.floor(random() * SMALL_BYTES_MAX)
    changes.push(isDelete ? { key, stamp } : { key, stamp, size: isHuge ? LARGE_BYTES : small })
  }
  return { lane, index, changes }
}

/** The value of a put: different for every stamp, but for those that are too short. */
export function bytesOf({ stamp, size = 0 }: Change): Uint8Array {
  const bytes = Buffer.alloc(size)
  const block = createHash('sha256').update(stamp).digest()
  for (let start = 0; start < size; start += block.length) block.copy(bytes, start)
  return bytes
}

/** What a value is known by, without sending it to and fro. */
export function fingerprint(value: Uint8Array): string {
  return `${value.length}:${createHash('sha256').update(value).digest('base64').slice(0, 16)}`
}

/** Numbers in [0, 1) that follow from a text. */
export function randomFrom(text: string): () => number {
  let count = 0
  return () => {
    const hash = createHash('sha256').update(`${text}#${count++}`).digest()
    return hash.readUInt32BE() / 2 ** 32
  }
}

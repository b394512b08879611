/**
 * How many entries a message of the sync protocol has, found without making any of them.
 *
 * An entry may have two bytes on the wire, and takes a hundred in memory. A limit on bytes alone would let a frame
 * become a hundred times its size, so the entries are counted before the frame is decoded.
 */
import { WIRE_BYTES, WireReader } from '../../codec/wire-reader.ts'

/** More than any message of this implementation has, whatever its options: of heads 65,536 are the most. */
export const ENTRIES_MAX = 256 * 1024

/** The least that an entry takes on the wire. */
const ENTRY_BYTES_MIN = 2

/**
 * Fields of a message and of the messages in it; deeper the protocol repeats nothing. What cannot be read counts as so
 * many entries as it has room for, since the decoder may yet make something of it.
 */
export function countEntries(message: Uint8Array): number {
  return countFields(message, (field) => 1 + countFields(field, () => 1))
}

function countFields(message: Uint8Array, countIn: (field: Uint8Array) => number): number {
  const reader = new WireReader(message)
  let count = 0
  try {
    while (!reader.done) {
      const tag = reader.tag()
      if (tag % 8 === WIRE_BYTES) count += countIn(reader.bytes())
      else {
        reader.skip(tag)
        count++
      }
    }
    return count
  } catch {
    return count + reader.rest().length / ENTRY_BYTES_MIN
  }
}

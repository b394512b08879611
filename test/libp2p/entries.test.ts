// Entries of a message are counted before they are made, and what cannot be read is not taken for nothing.
import { expect, test } from 'vitest'
import { countEntries } from '../../src/libp2p/sync/entries.ts'
import { bytesField, GROUP, GROUP_END, hex, join, tag, varintField } from '../codec/wire-bytes.ts'

const empty = bytesField(1, '')

test.each<[string, Uint8Array, number]>([
  ['nothing has none', new Uint8Array(0), 0],
  ['a number is one', varintField(3, 5), 1],
  ['a message is one, and each of its fields', bytesField(2, join(empty, empty, varintField(2, 9))), 4],
  ['a body that is there twice counts twice', join(bytesField(2, empty), bytesField(2, empty)), 4],
  ['a group is one, whatever is in it', join(tag(9, GROUP), empty, empty, tag(9, GROUP_END)), 1],
  // The decoder may read on where this reader does not, so the rest counts as if it were full of entries.
  ['a message that is damaged is as full as it can be', bytesField(2, join(empty, new Uint8Array(10))), 6.5],
  ['a frame that is damaged too', join(varintField(3, 5), hex('00'), new Uint8Array(8)), 5]
])('%s', (_name, message, count) => {
  expect(countEntries(message)).toBe(count)
})

// Ids of blocks: a node is its multihash, under whatever CID it is named, and an id has one spelling.
import fc from 'fast-check'
import { base32upper } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import { describe, expect, test } from 'vitest'
import {
  BLOCK_ID_LENGTH,
  blockIdFromCid,
  blockIdFromDigest,
  blockIdOf,
  cidFromBlockId,
  digestFromBlockId,
  parseBlockId
} from '../../src/codec/block-id.ts'
import { blockCid, blockId } from '../../src/testkit/oracle/oracle.ts'
import { cidV0, cidV1, hex, join, sha256, utf8, varint } from './wire-bytes.ts'

const block = utf8('a block')
const id = blockId(block)

describe('block ids', () => {
  test('are a slash and the multihash in base32, as Go spells datastore keys', async () => {
    expect(await blockIdOf(block)).toBe(`/${base32upper.baseEncode(join(hex('12 20'), sha256(block)))}`)
    expect(id).toHaveLength(BLOCK_ID_LENGTH)
  })

  test('go to digests and CIDs and back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), async (bytes) => {
        const made = await blockIdOf(bytes)
        expect(made).toBe(blockId(bytes))
        expect(digestFromBlockId(made)).toEqual(sha256(bytes))
        expect(blockIdFromDigest(sha256(bytes))).toBe(made)
        expect(cidFromBlockId(made).toString()).toBe(blockCid(bytes))
        expect(parseBlockId(made)).toBe(made)
      })
    )
  })

  test('are the same for CIDv0 and CIDv1 of one block', () => {
    expect(blockIdFromCid(CID.decode(cidV0(block)))).toBe(id)
    expect(blockIdFromCid(CID.decode(cidV1(block)))).toBe(id)
    expect(cidFromBlockId(id).version).toBe(1)
  })

  test('are none for CIDs that cannot name a node', () => {
    const foreign = [
      cidV1(block, 0x55),
      cidV1(block, 0x71),
      join(hex('01 70 00 03'), utf8('abc')),
      join(hex('01 70 16 20'), sha256(block)),
      join(hex('01 70 12 14'), sha256(block).subarray(0, 20)),
      join(hex('01 70 12 21'), sha256(block), hex('00')),
      join(varint(1), varint(0x70), varint(0xb220), varint(32), sha256(block))
    ]
    for (const cid of foreign) expect(blockIdFromCid(CID.decode(cid))).toBeUndefined()
  })
})

describe('ids in tombstones', () => {
  test('are taken with and without their leading slash', () => {
    expect(parseBlockId(id)).toBe(id)
    expect(parseBlockId(id.slice(1))).toBe(id)
  })

  test('are ignored where no sha2-256 block has them', () => {
    const upper = (multihash: Uint8Array): string => base32upper.baseEncode(multihash)
    const wrong = [
      ...['', '/', 'x', `/${id}`, `${id}/`, `${id}\n`, `${id}=`, `${id}A`, ` ${id}`],
      ...[id.toLowerCase(), id.slice(0, -1), id.slice(2), blockCid(block), 'é'.repeat(55)],
      `/${id.slice(1, -1)}=`,
      `/${upper(join(hex('11 14'), new Uint8Array(20)))}`,
      `/${upper(join(hex('16 20'), sha256(block)))}`,
      `/${upper(join(hex('12 1f'), sha256(block)))}`,
      `/${upper(join(hex('12 21'), sha256(block)))}`,
      `/${upper(join(hex('12 21'), new Uint8Array(33)))}`
    ]
    for (const text of wrong) expect(parseBlockId(text)).toBeUndefined()
  })

  test('have one spelling: the spare bits of the last letter are zero', () => {
    const spilled = { A: 'B', I: 'J', Q: 'R', Y: 'Z' }[id.slice(-1)]
    expect(parseBlockId(id.slice(0, -1) + spilled)).toBeUndefined()
    for (const last of [0, 1, 2, 3]) {
      const other = blockIdFromDigest(new Uint8Array(32).fill(last))
      expect(parseBlockId(other)).toBe(other)
    }
  })
})

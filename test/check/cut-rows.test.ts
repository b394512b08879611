// A row of every kind that is cut short: named, and written anew from the log, while the store is closed.
import { beforeEach, describe, expect, test } from 'vitest'
import { differing, having, type Rows, someOf } from './damage.ts'
import { LOCAL, mend } from './mend.ts'
import { soundStore } from './shapes.ts'

let sound: Rows

beforeEach(async () => {
  sound = (await soundStore()).rows
})

describe('a row of kind', () => {
  test.each(LOCAL)('%s that is cut short is written anew', async (letter) => {
    for (const row of someOf(sound, letter, 2)) {
      const value = sound.get(row) as Uint8Array
      for (const length of new Set([0, value.length >> 1, value.length - 1])) {
        const { found, rows } = await mend(having(sound, row, value.slice(0, length)), row)
        expect(found, `${row} cut to ${length}`).toBe(true)
        if (letter === 'p') expect([...rows.keys()]).not.toContain(row)
        else if (letter !== 'a' && letter !== 's' && letter !== 'i')
          expect(differing(rows, sound), row).toEqual([])
      }
    }
  })
})

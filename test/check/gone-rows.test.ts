// A row of every kind that is gone: named, and written anew from the log, while the store is closed.
import { beforeEach, describe, expect, test } from 'vitest'
import { differing, KINDS, type Letter, letterOf, type Rows, someOf, without } from './damage.ts'
import { LOCAL, mend } from './mend.ts'
import { soundStore } from './shapes.ts'

let sound: Rows

beforeEach(async () => {
  sound = (await soundStore()).rows
})

/** What cannot be told from a store that never had it. */
const FORGETTABLE: readonly Letter[] = ['p', 'w', 'i']

describe('a row of kind', () => {
  test.each(LOCAL)('%s that is gone is written anew', async (letter) => {
    for (const row of someOf(sound, letter, 3)) {
      const { found, rows } = await mend(without(sound, row), row)
      expect(found, row).toBe(!FORGETTABLE.includes(letter))
      // Who wrote a node is not in the DAG; how far the clock was ahead is only in the row.
      if (found && letter !== 'a' && letter !== 's') expect(differing(rows, sound), row).toEqual([])
    }
  })

  test('any letter is there in the store that is damaged', () => {
    const letters = new Set([...sound.keys()].map(letterOf))
    expect([...letters].sort().join('')).toBe(
      Object.keys(KINDS)
        .filter((letter) => letter !== 'j')
        .sort()
        .join('')
    )
  })
})

// Hands of things, taken one by one: in order, no sooner than they are wanted, and left early.
import { expect, test } from 'vitest'
import { OneByOne } from '../../src/libp2p/sync/one-by-one.ts'

/** Hands that tell when they are asked for, and that they were left. */
async function* handing(hands: number[][], told: string[]): AsyncGenerator<number[]> {
  try {
    for (const hand of hands) {
      told.push(`asked for ${hand.join()}`)
      yield hand
    }
    told.push('ended')
  } finally {
    told.push('left')
  }
}

test('gives all of them in order, and asks for a hand when everything before it was taken', async () => {
  const told: string[] = []
  for await (const item of new OneByOne(handing([[1, 2], [], [3]], told))) told.push(`took ${item}`)
  expect(told).toEqual([
    'asked for 1,2',
    'took 1',
    'took 2',
    'asked for ',
    'asked for 3',
    'took 3',
    'ended',
    'left'
  ])
})

test('ends the source when it is left early, and gives nothing more', async () => {
  const told: string[] = []
  const items = new OneByOne(handing([[1], [2]], told))
  for await (const item of items) {
    told.push(`took ${item}`)
    break
  }
  expect(told).toEqual(['asked for 1', 'took 1', 'left'])
  expect(await items.next()).toEqual({ done: true, value: undefined })
})

test('fails as its source does', async () => {
  async function* failing(): AsyncGenerator<number[]> {
    yield [1]
    throw new Error('broken off')
  }
  const items = new OneByOne(failing())
  expect(await items.next()).toEqual({ done: false, value: 1 })
  await expect(items.next()).rejects.toThrow('broken off')
})

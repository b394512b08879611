// Migrations of the layout: each step once and in order, again after a crash, and none that is missing.
import { MemoryDatastore } from 'datastore-core'
import { expect, test } from 'vitest'
import { LAYOUT, Layout } from '../../src/storage/keys.ts'
import { MIGRATIONS, type Migration, migrate } from '../../src/storage/migrations/index.ts'
import { rowStoreOver } from '../../src/storage/row-store.ts'

const rows = rowStoreOver(new MemoryDatastore(), { durability: 'process' })
const layout = new Layout('/crdt')

/** Steps from layouts 1 to 4 that note when they run; one of them fails at first. */
function stepsNoting(ran: number[], failing?: number): Migration[] {
  let fails = true
  return [3, 1, 2].map((from) => ({
    from,
    migrate: async () => {
      ran.push(from)
      if (from !== failing || !fails) return
      fails = false
      throw new Error('the machine crashed')
    }
  }))
}

test('every released layout has a way to the one that is written', () => {
  expect(MIGRATIONS.map(({ from }) => from)).toEqual(
    Array.from({ length: LAYOUT - 1 }, (_, index) => index + 1)
  )
})

test('the steps between two layouts run in order, each told of when it is done', async () => {
  const [ran, done]: [number[], number[]] = [[], []]
  await migrate({ rows, layout, from: 1, to: 4 }, async (to) => void done.push(to), stepsNoting(ran))
  expect({ ran, done }).toEqual({ ran: [1, 2, 3], done: [2, 3, 4] })
})

test('a step that was cut off is run again, and those before it are not', async () => {
  const [ran, done]: [number[], number[]] = [[], []]
  const steps = stepsNoting(ran, 2)
  const run = async (from: number): Promise<void> =>
    await migrate({ rows, layout, from, to: 4 }, async (to) => void done.push(to), steps)
  await expect(run(1)).rejects.toThrow('the machine crashed')
  await run(done.at(-1) as number)
  expect({ ran, done }).toEqual({ ran: [1, 2, 2, 3], done: [2, 3, 4] })
})

test('a layout that nothing leads on from is named', async () => {
  await expect(migrate({ rows, layout, from: 4, to: 5 }, async () => {}, stepsNoting([]))).rejects.toThrow(
    'from layout 4 to 5'
  )
})

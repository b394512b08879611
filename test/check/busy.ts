// A store that is written to while something else goes on.
import type { CrdtDatastore } from '../../src/index.ts'
import { contentOf } from '../storage/store-check.ts'
import { encode, key } from './shapes.ts'

/** Writes of every kind, one after the other, until a promise settles; at least and at most so many. */
export async function writeDuring(
  store: CrdtDatastore,
  during: Promise<unknown>,
  most = 60
): Promise<Record<string, string>> {
  const expected: Record<string, string> = {}
  let isDone = false
  const done = (): void => {
    isDone = true
  }
  during.then(done, done)
  for (let i = 0; i < most && (!isDone || i < 20); i++) {
    const name = `/busy/${i % 13}`
    if (i % 5 === 4) {
      await store.delete(key(name), { dagName: i % 2 === 0 ? '' : 'red' })
      delete expected[name]
    } else {
      await store.put(key(name), encode(`${i}`), { dagName: i % 3 === 0 ? `side ${i % 20}` : '' })
      expected[name] = `${i}`
    }
  }
  return expected
}

export async function busyContent(store: CrdtDatastore): Promise<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(await contentOf(store)).filter(([name]) => name.startsWith('/busy/'))
  )
}

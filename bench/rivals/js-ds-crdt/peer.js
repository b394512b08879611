/**
 * js-ds-crdt over LevelDB, blocks included, with nobody to talk to. Its published ES modules import each other without
 * file extensions, which Node refuses, and leave a package undeclared, so that it is bundled first.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { checkValue, makeKey, makeValue, serve, taken } from '../serve.js'

const here = import.meta.dirname
const bundle = join(here, 'node_modules', '.bundle', 'js-ds-crdt.js')
await build({
  stdin: {
    contents: `
      export { CRDTDatastore } from 'js-ds-crdt'
      export { Key } from 'interface-datastore'
      export { LevelDatastore } from 'datastore-level'
      export { LevelBlockstore } from 'blockstore-level'`,
    resolveDir: here
  },
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'esm',
  // What packages from before ES modules ask for.
  banner: {
    js: "import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)"
  },
  external: ['classic-level'],
  logLevel: 'error'
})
const { CRDTDatastore, Key, LevelBlockstore, LevelDatastore } = await import(bundle)

let store

serve({
  async open({ folder }) {
    for (const name of ['rows', 'blocks']) mkdirSync(join(folder, name), { recursive: true })
    const datastore = new LevelDatastore(join(folder, 'rows'))
    const blockstore = new LevelBlockstore(join(folder, 'blocks'))
    await Promise.all([datastore.open(), blockstore.open()])
    const silent = { broadcast: async () => {}, setHandler: () => {}, getSubscribers: () => [] }
    store = new CRDTDatastore(datastore, new Key('/crdt'), { blockstore }, silent)
  },
  async puts({ prefix, from, count }) {
    return await taken(async () => {
      for (let index = from; index < from + count; index++)
        await store.put(new Key(makeKey(prefix, index)), makeValue(index))
    })
  },
  async gets({ prefix, indexes }) {
    return await taken(async () => {
      for (const index of indexes) {
        const key = makeKey(prefix, index)
        checkValue(key, await store.get(new Key(key)), index)
      }
    })
  },
  async overwrite({ prefix, from, count }) {
    return await taken(async () => {
      for (let version = 0; version < count; version++)
        await store.put(new Key(makeKey(prefix, from)), makeValue(version))
    })
  },
  async remove({ prefix, from }) {
    const key = new Key(makeKey(prefix, from))
    const result = await taken(() => store.delete(key))
    if (await store.has(key)) throw new Error(`wrong answer: ${key} is there after its delete`)
    return result
  },
  async query({ prefix, count }) {
    return await taken(async () => {
      let rows = 0
      for await (const { value } of await store.query({ prefix: `/${prefix}/` }))
        rows += value.length === 100 ? 1 : 0
      if (rows !== count) throw new Error(`wrong answer: ${rows} rows of ${count}`)
    })
  }
})

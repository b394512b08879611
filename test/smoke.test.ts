import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryDatastore } from 'datastore-core'
import { LevelDatastore } from 'datastore-level'
import { Key } from 'interface-datastore'
import { expect, test } from 'vitest'
import { createCrdtDatastore } from '../src/index.ts'

const b = (s: string) => new TextEncoder().encode(s)
for (const mk of ['mem', 'level'])
  test('smoke ' + mk, async () => {
    const datastore =
      mk === 'mem' ? new MemoryDatastore() : new LevelDatastore(mkdtempSync(join(tmpdir(), 'crdt-')))
    const store = await createCrdtDatastore({ datastore })
    await store.put(new Key('/a'), b('1'))
    await store.put(new Key('/a'), b('22'))
    await store.put(new Key('/鍵'), b('22'))
    expect(await store.get(new Key('/a'))).toEqual(b('22'))
    for await (const p of store.query({ prefix: '/' })) console.log(p.key.toString())
    console.log(await store.stats(), await store.heads(), await store.digest())
    await store.delete(new Key('/a'))
    expect(await store.has(new Key('/a'))).toBe(false)
    await store.delete(new Key('/鍵'))
    console.log(await store.stats(), await store.digest())
    const t = performance.now()
    for (let i = 0; i < 2000; i++) await store.put(new Key('/k' + i), b('x'.repeat(100)))
    console.log('awaited', (2000 / (performance.now() - t)) * 1000)
    const t2 = performance.now()
    await Promise.all(
      Array.from({ length: 5000 }, (_, i) => store.put(new Key('/p' + i), b('x'.repeat(100))))
    )
    console.log('concurrent', (5000 / (performance.now() - t2)) * 1000)
    await store.close()
  })

// Keys: every script, what sorts oddly, long ones, and those that are not canonical when they come.
import { expect, test } from 'vitest'
import { forgeNode } from '../../src/testkit/hostile/forged.ts'
import { announce } from './announce.ts'
import { describeEachBuild } from './builds.ts'
import { pairOf } from './pair.ts'
import { bytes, key, remove, textOf, write } from './ts-calls.ts'

const KEYS = [
  ...[
    '/plain',
    '/a/b/c/d/e',
    '/with space',
    '/100%',
    '/%2F',
    '/a:b',
    '/a.b',
    '/..a',
    '/a..',
    '/...',
    '/~',
    '/a\\b'
  ],
  ...['/\u00e9', '/e\u0301', '/\u03b5\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac', '/\u0440\u0443\u0441'],
  ...[
    '/\u05e2\u05d1\u05e8\u05d9\u05ea',
    '/\u0639\u0631\u0628\u064a',
    '/\u0939\u093f\u0928\u094d\u0926\u0940'
  ],
  ...[
    '/\u4e2d\u6587',
    '/\u65e5\u672c\u8a9e',
    '/\ud55c\uad6d\uc5b4',
    '/\u0e44\u0e17\u0e22',
    '/\u10e5\u10d0\u10e0'
  ],
  ...[
    '/\u{1f600}',
    '/\u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
    '/\u00ff',
    '/\u0100',
    '/\uffff',
    '/\u{10ffff}',
    '/\ufeff'
  ],
  ...[
    '/\u0001',
    '/tab\there',
    '/line\nbreak',
    '/v',
    '/p',
    '/k/v',
    `/${'long'.repeat(1000)}`,
    '/__proto__',
    '/h/s/k'
  ]
]

describeEachBuild('keys', (program) => {
  const pair = pairOf(program)

  test('in every script are put by either side and deleted by the other', async () => {
    const { swarm, go, ts } = pair
    const half = KEYS.length / 2
    for (const [index, name] of KEYS.entries()) if (index < half) await go.put(name, `${index}`)
    await swarm.levelExactly()
    for (const [index, name] of KEYS.entries()) if (index >= half) await write(ts, name, `${index}`)
    await swarm.levelExactly()
    expect([...(await go.state()).keys()].sort()).toEqual([...KEYS].sort())
    for (const [index, name] of KEYS.entries()) {
      expect(await textOf(ts, name)).toBe(`${index}`)
      expect(await go.get(name)).toEqual(bytes(`${index}`))
      if (index < half) await remove(ts, name)
    }
    await swarm.levelExactly()
    await go.run(KEYS.map((name) => ({ op: 'delete' as const, key: name })))
    await swarm.levelExactly()
    expect((await go.state()).size).toBe(0)
    expect((await ts.store.stats()).keys).toBe(0)
  })

  test('are cleaned by both sides alike when they are written', async () => {
    const { swarm, go, ts } = pair
    for (const [sent, clean] of [
      ['/clean//go', '/clean/go'],
      ['clean/y', '/clean/y'],
      ['/clean/x/../z', '/clean/z'],
      ['/clean/t/', '/clean/t'],
      ['/clean/./dot', '/clean/dot']
    ] as const) {
      await go.put(sent, 'go')
      await swarm.levelExactly()
      expect(await textOf(ts, clean)).toBe('go')
      await write(ts, sent, 'ts')
      await swarm.levelExactly()
      expect(await go.get(clean)).toEqual(bytes('ts'))
    }
  })

  test('that are not canonical on the wire mean the same key to both sides', async () => {
    const { swarm, go, ts } = pair
    const spellings = [
      ['/wire//a', '/wire/a'],
      ['wire/b', '/wire/b'],
      ['/wire/x/../c', '/wire/c'],
      ['/wire/d/', '/wire/d'],
      ['///wire/./e', '/wire/e']
    ] as const
    const node = forgeNode({ puts: spellings.map(([sent, clean]) => [sent, clean] as const), priority: 5n })
    await announce(go, node)
    await swarm.levelExactly()
    for (const [, clean] of spellings) {
      expect(await textOf(ts, clean)).toBe(clean)
      expect(await go.get(clean)).toEqual(bytes(clean))
    }
    await remove(ts, '/wire/a')
    await go.delete('/wire/b')
    await swarm.levelExactly()
    expect(await ts.store.has(key('/wire/b'))).toBe(false)
    expect(await go.get('/wire/a')).toBeUndefined()
  })

  test('that climb above the root, or are the root, have no effect here', async () => {
    const { swarm, go, ts } = pair
    await go.put('/before', 'there')
    await swarm.levelExactly()
    const puts = [['/../../climbs', 'x'] as const, ['/', 'root'] as const, ['/beside', 'fine'] as const]
    await announce(go, forgeNode({ puts, priority: 50n }))
    const { differences } = await swarm.level()
    // In Go the root shows as the empty key.
    expect(differences.map(({ key: shown, defect }) => [shown, defect])).toEqual([
      ['', 'a key above the root']
    ])
    expect(await textOf(ts, '/beside')).toBe('fine')
    expect(await go.get('/beside')).toEqual(bytes('fine'))
    const { keys } = await ts.store.stats()
    await write(ts, '/after', 'the store goes on')
    await swarm.level()
    expect((await ts.store.stats()).keys).toBe(keys + 1)
  })
})

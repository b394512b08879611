// What is logged once for each peer and fault: whoever sends a million bad blocks fills no disk, and no memory either.
import { describe, expect, test } from 'vitest'
import { LogOnce } from '../../src/replica/log-once.ts'

function logged(): { log: LogOnce; lines: unknown[][] } {
  const lines: unknown[][] = []
  const error = (...args: unknown[]): void => void lines.push(args)
  return { log: new LogOnce(Object.assign(() => {}, { error, trace: () => {} })), lines }
}

describe('a line', () => {
  test('comes once for each peer and fault, with the peer first and its arguments after', () => {
    const { log, lines } = logged()
    for (let i = 0; i < 1000; i++) {
      log.error('mallory', 'cut', '%s sent block %d', i)
      log.error('mallory', 'flipped', '%s lies')
      log.error('oscar', 'cut', '%s sent block %d', i)
    }
    expect(lines).toEqual([
      ['%s sent block %d (logged once)', 'mallory', 0],
      ['%s lies (logged once)', 'mallory'],
      ['%s sent block %d (logged once)', 'oscar', 0]
    ])
  })

  test('of peers without number comes again once so many others came, instead of all being remembered', () => {
    const { log, lines } = logged()
    for (let i = 0; i < 1024; i++) log.error(`peer ${i}`, 'cut', '%s')
    log.error('peer 0', 'cut', '%s')
    expect(lines).toHaveLength(1024)
    log.error('peer 1024', 'cut', '%s')
    log.error('peer 0', 'cut', '%s')
    log.error('peer 0', 'cut', '%s')
    expect(lines).toHaveLength(1026)
  })
})

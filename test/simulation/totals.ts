// What many simulations were about, added up.
import type { RunReport } from '../../src/testkit/simulation/report.ts'

const SUMMED = [
  'operations',
  'acknowledged',
  'faults',
  'harms',
  'crashes',
  'messages',
  'bytes',
  'nodes',
  'virtualMs'
] as const

export class Totals {
  readonly #startedAt = Date.now()
  readonly #sums = new Map<string, number>()
  runs = 0
  failed = 0

  add(report: RunReport): void {
    this.runs++
    for (const name of SUMMED) this.#sums.set(name, (this.#sums.get(name) ?? 0) + report[name])
  }

  /** The sum of one number over all runs. */
  sum(name: (typeof SUMMED)[number]): number {
    return this.#sums.get(name) ?? 0
  }

  table(): string {
    const seconds = (Date.now() - this.#startedAt) / 1000
    const rows: Array<[string, string]> = [
      ['seeds that hold', this.runs.toLocaleString('en')],
      ['seeds that fail', this.failed.toLocaleString('en')],
      ...SUMMED.filter((name) => name !== 'virtualMs').map((name): [string, string] => {
        return [name, this.sum(name).toLocaleString('en')]
      }),
      ['virtual hours', (this.sum('virtualMs') / 3_600_000).toFixed(1)],
      ['real seconds', seconds.toFixed(1)]
    ]
    return rows.map(([name, value]) => `${name.padEnd(16)} ${value.padStart(14)}`).join('\n')
  }
}

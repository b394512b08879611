/**
 * What a writer that gets killed must have kept: everything that it acknowledged, and of each lane perhaps the one
 * step that was under way, as a whole.
 */
import type { LabLine } from './lab-messages.ts'
import { bytesOf, fingerprint, LANES, type Step } from './workload.ts'

/** Keys and the fingerprints of their values. */
type State = Map<string, string>

interface Lane {
  kept: State
  /** The step that was begun and not acknowledged. */
  open: Step | undefined
  next: number
}

export class Ledger {
  acknowledged = 0
  /** Steps that were under way at a kill, and were there afterwards. */
  keptUnasked = 0
  readonly #lanes: Lane[] = Array.from({ length: LANES }, () => ({
    kept: new Map(),
    open: undefined,
    next: 0
  }))

  /** Takes down what the writer says. */
  readonly take = (line: LabLine): void => {
    if ('begun' in line) this.#lanes[line.begun.lane]!.open = line.begun
    if (!('acknowledged' in line)) return
    const lane = this.#lanes[line.acknowledged.lane]!
    if (lane.open?.index !== line.acknowledged.index) throw new Error('Acknowledged out of turn')
    apply(lane.kept, lane.open)
    lane.next = lane.open.index + 1
    lane.open = undefined
    this.acknowledged++
  }

  /** Where each lane goes on. */
  get next(): number[] {
    return this.#lanes.map(({ next }) => next)
  }

  /** Compares with what is there after a restart, and takes it for what is kept from now on. */
  settle(rows: ReadonlyArray<readonly [string, string]>): string[] {
    const problems: string[] = []
    for (const [number, lane] of this.#lanes.entries()) {
      const there: State = new Map(rows.filter(([key]) => key.startsWith(`/lane/${number}/`)))
      const whole = new Map(lane.kept)
      if (lane.open !== undefined) apply(whole, lane.open)
      if (lane.open !== undefined && areEqual(there, whole)) {
        lane.next = lane.open.index + 1
        this.keptUnasked++
      } else problems.push(...differences(lane.kept, there))
      lane.kept = there
      lane.open = undefined
    }
    const known = this.#lanes.reduce((sum, { kept }) => sum + kept.size, 0)
    if (known !== rows.length) problems.push(`${rows.length - known} keys are nobody's`)
    return problems
  }
}

function apply(state: State, { changes }: Step): void {
  for (const change of changes) {
    if (change.size === undefined) state.delete(change.key)
    else state.set(change.key, fingerprint(bytesOf(change)))
  }
}

function areEqual(one: State, other: State): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value)
}

function differences(expected: State, there: State): string[] {
  const keys = new Set([...expected.keys(), ...there.keys()])
  return [...keys]
    .filter((key) => expected.get(key) !== there.get(key))
    .map((key) => `${key} is ${there.get(key) ?? 'gone'} and not ${expected.get(key) ?? 'gone'}`)
}

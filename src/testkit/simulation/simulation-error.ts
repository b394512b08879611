/** A run that went wrong. */
import { printScript, type Script } from './script.ts'

/** Lines of the trace that a report has. */
const REPORTED_LINES = 200

/** A run that went wrong: which check failed, with the script, the trace and a drawing. */
export class SimulationError extends Error {
  static override readonly name = 'SimulationError'
  override name = 'SimulationError'
  readonly script: Script
  /** The newest lines of the trace. */
  readonly trace: readonly string[]
  /** The DAG of the first replica, as text. */
  readonly dag: readonly string[]

  constructor(script: Script, trace: readonly string[], dag: readonly string[], cause: unknown) {
    const why = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
    super(`Seed ${script.seed} (${script.profile}) fails: ${why}`, { cause })
    this.script = script
    this.trace = trace
    this.dag = dag
  }

  /** Everything that there is to know, for a person. */
  report(): string {
    const parts = [this.message, '', 'Script:', printScript(this.script), '', 'DAG:', ...this.dag]
    return [...parts, '', 'Trace, newest lines:', ...this.trace.slice(-REPORTED_LINES)].join('\n')
  }
}

/**
 * Lines from a terminal, with a prompt, or from a pipe.
 *
 * Invariant: lines run in order, each when the one before it is done; one that fails is reported, and the next runs.
 */
import { createInterface } from 'node:readline'

export interface PromptInit {
  signal: AbortSignal
  /** Runs a line; true if it was the last one. */
  run(line: string): Promise<boolean>
  onError(error: Error): void
  /** The terminal's Ctrl-C, which is no signal while a line is being typed. */
  onInterrupt(): void
}

/** Why no more lines are read: one of them asked for it, there are no more, or the signal was given. */
export type PromptEnd = 'asked' | 'end' | 'aborted'

export async function readPrompt({ signal, run, onError, onInterrupt }: PromptInit): Promise<PromptEnd> {
  const isTerminal = process.stdin.isTTY === true
  const lines = createInterface({
    input: process.stdin,
    ...(isTerminal ? { output: process.stdout, prompt: '> ' } : {}),
    signal
  })
  lines.on('SIGINT', onInterrupt)
  if (isTerminal) lines.prompt()
  for await (const line of lines) {
    try {
      if (await run(line)) {
        lines.close()
        return 'asked'
      }
    } catch (error) {
      if (signal.aborted) break
      onError(error as Error)
    }
    if (isTerminal) lines.prompt()
  }
  return signal.aborted ? 'aborted' : 'end'
}

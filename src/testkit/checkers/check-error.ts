/** A check found something that must not be. The message names the check. */
export class CheckError extends Error {
  static override readonly name = 'CheckError'
  override name = 'CheckError'
  /** The name of the check. */
  readonly check: string

  /** Made by the checks. */
  constructor(check: string, found: string) {
    super(`${check}: ${found}`)
    this.check = check
  }
}

/**
 * Fails a check unless it holds.
 *
 * @throws CheckError
 */
export function ensure(holds: boolean, check: string, found: () => string): asserts holds {
  if (!holds) throw new CheckError(check, found())
}

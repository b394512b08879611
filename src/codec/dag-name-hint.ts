/**
 * The name of a DAG as it is told beside a head: a hint, for the head's block tells for itself.
 *
 * Invariant: a hint is never longer than a name that may be written, whatever name a received delta has, so that no
 * peer can make what others say of their heads too long to be heard.
 */
import { DAG_NAME_BYTES_MAX } from '../options.ts'
import { utf8Length } from './key.ts'

/** Whether the name is short enough to be told as it is. */
export function isTellable(dagName: string): boolean {
  return utf8Length(dagName) <= DAG_NAME_BYTES_MAX
}

/** The name, or the beginning of one that is too long; that is nobody's name but by intent. */
export function dagNameHint(dagName: string): string {
  if (isTellable(dagName)) return dagName
  let hint = ''
  let bytes = 0
  for (const char of dagName) {
    bytes += utf8Length(char)
    if (bytes > DAG_NAME_BYTES_MAX) break
    hint += char
  }
  return hint
}

/**
 * What a caller may write, checked before anything is queued.
 */
import { checkedKey, utf8Length } from './codec/key.ts'
import type { Element, Operation } from './crdt/delta.ts'
import { InvalidDagNameError, InvalidValueError, ValueTooLargeError } from './errors.ts'
import { DAG_NAME_BYTES_MAX, type Limits } from './options.ts'
import { elementFits } from './replica/publish.ts'

/** A DAG of any other name may be there, since a peer may have written it. @throws InvalidDagNameError */
export function checkedForeignDagName(dagName: string): string {
  if (!dagName.isWellFormed()) throw new InvalidDagNameError(dagName, 'it contains a lone surrogate')
  return dagName
}

/** @throws InvalidDagNameError for names that go-ds-crdt would lose, or that rows could not hold. */
export function checkedDagName(dagName = ''): string {
  checkedForeignDagName(dagName)
  if (dagName.includes('/') || dagName === '.' || dagName === '..') {
    throw new InvalidDagNameError(
      dagName,
      'Go peers lose the heads of DAGs whose name contains / or is . or ..'
    )
  }
  if (utf8Length(dagName) > DAG_NAME_BYTES_MAX) {
    throw new InvalidDagNameError(
      dagName,
      `it has more than ${DAG_NAME_BYTES_MAX} bytes in UTF-8; shorten it`
    )
  }
  return dagName
}

/** @throws InvalidKeyError, InvalidValueError or ValueTooLargeError */
export function checkedElement(key: string, value: unknown, dagName: string, limits: Limits): Element {
  const canonical = checkedKey(key, limits.keyBytesMax)
  if (!(value instanceof Uint8Array)) throw new InvalidValueError(canonical, value)
  const { deltaBytesMax } = limits
  if (!elementFits(canonical, value.length, dagName, deltaBytesMax)) {
    throw new ValueTooLargeError(canonical, value.length, deltaBytesMax)
  }
  return { key: canonical, value }
}

/** A key of any length may be deleted or read, since a peer may have written it. @throws InvalidKeyError */
export function checkedForeignKey(key: string): string {
  return checkedKey(key, Number.POSITIVE_INFINITY)
}

export function checkedPut(key: string, value: unknown, dagName: string, limits: Limits): Operation {
  return { type: 'put', ...checkedElement(key, value, dagName, limits) }
}

export function checkedDelete(key: string): Operation {
  return { type: 'delete', key: checkedForeignKey(key) }
}

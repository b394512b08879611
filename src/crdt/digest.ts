/**
 * The digest of a set: the sum, modulo 2^256, of the hashes of its elements.
 *
 * It does not depend on order and is kept by addition and subtraction, so that it costs nothing to ask for. It
 * tells apart any two states that differ by accident. It is no defence against somebody who may write and looks
 * for two different states of equal digest: sums of hashes can be forged with enough work.
 */

/** The length of a digest and of an element's hash. */
export const STATE_DIGEST_LENGTH = 32

/** The digest of the empty set. */
export function emptyDigest(): Uint8Array {
  return new Uint8Array(STATE_DIGEST_LENGTH)
}

/** Adds an element's hash in place; the numbers are big-endian. */
export function addHash(sum: Uint8Array, hash: Uint8Array): void {
  let carry = 0
  for (let i = STATE_DIGEST_LENGTH - 1; i >= 0; i--) {
    const total = (sum[i] as number) + (hash[i] as number) + carry
    sum[i] = total & 0xff
    carry = total >> 8
  }
}

/** Takes an element's hash out again. */
export function subtractHash(sum: Uint8Array, hash: Uint8Array): void {
  let borrow = 0
  for (let i = STATE_DIGEST_LENGTH - 1; i >= 0; i--) {
    const total = (sum[i] as number) - (hash[i] as number) - borrow
    sum[i] = total & 0xff
    borrow = total < 0 ? 1 : 0
  }
}

/**
 * sha2-256, by the shortest way that the platform offers.
 *
 * Every delta costs two hashes of a few hundred bytes. With the hash object that multiformats makes for each, an awaited
 * put takes 15% more of the main thread, and a merged delta 13%, than with Node's one-shot `crypto.hash` and its result
 * read from hexadecimal digits. The digits are a part of that: a buffer that is made for each result is 5% of both.
 * Elsewhere multiformats does it, asynchronously in browsers.
 */
import { sha256 as multiformatsSha256 } from 'multiformats/hashes/sha2'

type OneShot = (algorithm: string, data: Uint8Array, encoding: 'hex') => string

/** Not an import, because this file runs in browsers too. */
const oneShot = (
  globalThis as { process?: { getBuiltinModule?(id: string): { hash?: OneShot } | undefined } }
).process?.getBuiltinModule?.('node:crypto')?.hash

/** The 32 bytes of the hash: at once where the platform can, and otherwise as a promise. */
export function sha256(bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
  if (oneShot !== undefined) return bytesOfHex(oneShot('sha256', bytes, 'hex'))
  const hash = multiformatsSha256.digest(bytes)
  return hash instanceof Promise ? hash.then(({ digest }) => digest) : hash.digest
}

function bytesOfHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2)
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = (digitOf(hex.charCodeAt(2 * i)) << 4) | digitOf(hex.charCodeAt(2 * i + 1))
  }
  return bytes
}

/** The value of a lower-case hexadecimal digit. */
function digitOf(code: number): number {
  return code < 0x3a ? code - 0x30 : code - 0x57
}

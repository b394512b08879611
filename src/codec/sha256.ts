/**
 * sha2-256, by the shortest way that the platform offers.
 *
 * Every delta costs two hashes of a few hundred bytes. An awaited put takes 15% more of the main thread, and a merged
 * delta 13%, with the hash object that multiformats makes for each in place of Node's one-shot `crypto.hash`. Elsewhere
 * multiformats does it, asynchronously in browsers.
 */
import { sha256 as multiformatsSha256 } from 'multiformats/hashes/sha2'

type OneShot = (algorithm: string, data: Uint8Array, encoding: 'buffer') => Uint8Array

/** Not an import, because this file runs in browsers too. */
const oneShot = (
  globalThis as { process?: { getBuiltinModule?(id: string): { hash?: OneShot } | undefined } }
).process?.getBuiltinModule?.('node:crypto')?.hash

/** The 32 bytes of the hash: at once where the platform can, and otherwise as a promise. */
export function sha256(bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
  if (oneShot !== undefined) return oneShot('sha256', bytes, 'buffer')
  const hash = multiformatsSha256.digest(bytes)
  return hash instanceof Promise ? hash.then(({ digest }) => digest) : hash.digest
}

/**
 * The loop of a rival's process: requests come in lines of JSON on the standard input, answers go out in lines of JSON
 * on the standard output, as in bench/go. Plain JavaScript, because each rival runs with packages of its own, and the
 * types of none of them are installed with this project's.
 */
import { createInterface } from 'node:readline'

/** @param {Record<string, (args: any) => Promise<unknown>>} methods */
export function serve(methods) {
  const answer = (response) => process.stdout.write(`${JSON.stringify(response)}\n`)
  createInterface({ input: process.stdin })
    .on('line', async (line) => {
      const { id, method, args } = JSON.parse(line)
      try {
        answer({ id, result: await methods[method](args) })
      } catch (error) {
        answer({ id, error: String(error.stack ?? error) })
      }
    })
    .on('close', () => process.exit())
}

/** How long some work takes, as every method answers it. */
export async function taken(work) {
  const start = performance.now()
  await work()
  return { ms: performance.now() - start }
}

const VALUE_BYTES = 100

/** The keys and values of workload.ts. */
export function makeKey(prefix, index) {
  return `/${prefix}/${index.toString().padStart(7, '0')}`
}

export function makeValue(index) {
  const value = new Uint8Array(VALUE_BYTES)
  const bytes = new DataView(value.buffer)
  let state = Math.imul(index + 1, 0x9e3779b1) | 1
  for (let offset = 0; offset < VALUE_BYTES; offset += 4) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes.setUint32(offset, state >>> 0)
  }
  new DataView(value.buffer).setUint32(0, index)
  return value
}

export function checkValue(key, value, index) {
  const right =
    value?.length === VALUE_BYTES && new DataView(value.buffer, value.byteOffset).getUint32(0) === index
  if (!right) throw new Error(`wrong answer: ${key} has another value`)
}

import { expect, test, vi } from 'vitest'
import { whenReady } from '../src/eventual.ts'

test('what is here is gone on with before the call returns', () => {
  const next = vi.fn((value: number) => value + 1)
  expect(whenReady(1, next)).toBe(2)
  expect(next).toHaveBeenCalledOnce()
})

test('what comes later is gone on with when it comes', async () => {
  const { promise, resolve } = Promise.withResolvers<number>()
  const next = vi.fn((value: number) => value + 1)
  const result = whenReady(promise, next)
  expect(next).not.toHaveBeenCalled()
  resolve(1)
  expect(await result).toBe(2)
})

test('what goes wrong is thrown at once, or rejects what comes later', async () => {
  const fail = (): never => {
    throw new RangeError('no')
  }
  expect(() => whenReady(1, fail)).toThrow(RangeError)
  await expect(whenReady(Promise.resolve(1), fail)).rejects.toThrow(RangeError)
  await expect(whenReady(Promise.reject(new TypeError('never')), fail)).rejects.toThrow(TypeError)
})

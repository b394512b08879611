// Every error has a stable name, is an Error, and says what to do.
import { describe, expect, test } from 'vitest'
import * as errors from '../src/errors.ts'
import * as index from '../src/index.ts'

const cause = new RangeError('the cause')

const EXAMPLES: Record<keyof typeof errors, { error: Error; says: string[] }> = {
  InvalidOptionError: {
    error: new errors.InvalidOptionError('linksMax', 'x', 'a whole number'),
    says: ['linksMax', '"x"', 'a whole number']
  },
  InvalidKeyError: { error: new errors.InvalidKeyError('/..', 'it climbs'), says: ['"/.."', 'it climbs'] },
  InvalidDagNameError: {
    error: new errors.InvalidDagNameError('a/b', 'it is bad'),
    says: ['"a/b"', 'it is bad']
  },
  DagIgnoredError: {
    error: new errors.DagIgnoredError('side'),
    says: ['"side"', 'dag.resume']
  },
  InvalidDeltaError: { error: new errors.InvalidDeltaError('it says nothing'), says: ['it says nothing'] },
  InvalidCidError: { error: new errors.InvalidCidError('bafy'), says: ['bafy', 'dag-pb', 'sha2-256'] },
  ValueTooLargeError: {
    error: new errors.ValueTooLargeError('/k', 2000, 1024),
    says: ['"/k"', '2000', '1024', 'deltaBytesMax']
  },
  InvalidValueError: { error: new errors.InvalidValueError('/k', 7), says: ['"/k"', '7', 'Uint8Array'] },
  NotStartedError: { error: new errors.NotStartedError(), says: ['start()'] },
  ClosedError: { error: new errors.ClosedError(), says: ['closed', 'create a new one'] },
  DatastoreLockedError: {
    error: new errors.DatastoreLockedError('/some/folder', cause),
    says: ['"/some/folder"', 'locked', 'Stop that process']
  },
  DatastoreOpenError: {
    error: new errors.DatastoreOpenError('/some/folder', cause),
    says: ['"/some/folder"', 'the cause', 'Open it before']
  },
  NamespaceInUseError: {
    error: new errors.NamespaceInUseError('/crdt/a', '/crdt'),
    says: ['"/crdt/a"', '"/crdt"', 'close that one']
  },
  LayoutTooNewError: { error: new errors.LayoutTooNewError(9, 1), says: ['9', '1', 'use the version'] },
  TopicMismatchError: {
    error: new errors.TopicMismatchError('one', 'other'),
    says: ['"one"', '"other"', 'option topic', 'another namespace']
  },
  CorruptRowError: {
    error: new errors.CorruptRowError('/crdt/s', 'cut off'),
    says: ['"/crdt/s"', 'cut off']
  },
  CommitFailedError: {
    error: new errors.CommitFailedError(cause),
    says: ['the cause', 'Nothing was written', 'try again']
  },
  StoreFailedError: {
    error: new errors.StoreFailedError(cause),
    says: ['the cause', 'open the store again']
  },
  WriteQueueFullError: { error: new errors.WriteQueueFullError(10), says: ['10', 'writeQueueBytesMax'] }
}

describe.each(Object.entries(EXAMPLES))('%s', (name, { error, says }) => {
  test('has its name, and says what is wrong and what to do', () => {
    expect(error).toBeInstanceOf(Error)
    expect(error.name).toBe(name)
    expect(error.constructor.name).toBe(name)
    for (const words of says) expect(error.message).toContain(words)
  })

  test('is exported', () => {
    expect(index).toHaveProperty(name)
  })
})

test('there is an example of every error', () => {
  expect(Object.keys(errors).sort()).toEqual(Object.keys(EXAMPLES).sort())
})

test('what caused an error is kept as its cause', () => {
  for (const { error } of [
    EXAMPLES.CommitFailedError,
    EXAMPLES.StoreFailedError,
    EXAMPLES.DatastoreLockedError
  ]) {
    expect(error.cause).toBe(cause)
  }
  expect(new errors.CommitFailedError('a text').message).toContain('a text')
})

test('a long key is cut in the message and whole in the error', () => {
  const key = `/${'k'.repeat(5000)}`
  const error = new errors.InvalidKeyError(key, 'it is too long')
  expect(error.message.length).toBeLessThan(200)
  expect(error.key).toBe(key)
})

test('values of every kind can be described', () => {
  const described = [undefined, null, 7n, () => {}, [], {}, Object.create(null), Symbol('s')].map(
    (value) => new errors.InvalidOptionError('o', value, 'right').message
  )
  expect(described).toEqual(
    ['undefined', 'null', '7', 'a function', 'a Array', 'a Object', 'a value', 'Symbol(s)'].map(
      (value) => `Option o is ${value}, but it must be right`
    )
  )
})

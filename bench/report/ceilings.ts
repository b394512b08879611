/**
 * What bounds each path on any machine: figures of the benchmark `ceilings`, which does that and nothing else.
 */

/** One path and its bound. */
export interface Ceiling {
  path: string
  /** The benchmark and its figure. */
  figure: [benchmark: string, figure: string]
  /** A figure of `ceilings`. */
  ceiling: string
  why: string
}

export const CEILINGS: readonly Ceiling[] = [
  {
    path: 'an awaited put',
    figure: ['put', 'rate'],
    ceiling: 'datastore-level batch of 6',
    why: 'a put is one atomic batch of about so many rows: block, element, value, head, log'
  },
  {
    path: 'puts at once',
    figure: ['put-concurrent', 'rate'],
    ceiling: 'dag-pb, sha-256 and CID',
    why: 'they share commits, and each node is encoded and hashed'
  },
  {
    path: 'a get of a key not read lately',
    figure: ['get', 'rate'],
    ceiling: 'datastore-level get',
    why: 'a get is one read'
  },
  {
    path: 'a row of a query',
    figure: ['query', 'rate'],
    ceiling: 'datastore-level query',
    why: 'a row is a row'
  },
  {
    path: 'a delta that a fresh peer catches up with',
    figure: ['catch-up', 'rate'],
    ceiling: 'dag-pb, sha-256 and CID',
    why: 'every block is decoded and hashed once'
  }
]

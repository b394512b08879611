/**
 * What bounds each path. Where the store and raw datastore-level do the same work in turns, their ratio says it; what is not
 * datastore-level's is held against a figure of the benchmark `ceilings`.
 */

/** One path and its bound. */
export interface Ceiling {
  path: string
  benchmark: string
  /** The figure that is the ratio, or that is held against the ceiling. */
  figure: string
  /** A figure of `ceilings`; none where the figure is a ratio by itself. */
  ceiling?: string
  /** What is done at least. */
  bound: string
}

export const CEILINGS: readonly Ceiling[] = [
  { path: 'an awaited put', benchmark: 'put', figure: 'speed', bound: 'a raw put, of one row' },
  {
    path: 'an awaited put',
    benchmark: 'put',
    figure: 'of the least',
    bound: 'a read, a node, two hashes, a batch of four rows: in a straight line, nothing checked'
  },
  {
    path: 'that straight line',
    benchmark: 'put',
    figure: 'least',
    bound: 'a raw put, of one row'
  },
  { path: 'puts at once', benchmark: 'put-concurrent', figure: 'speed', bound: 'as many raw puts at once' },
  {
    path: 'a batch',
    benchmark: 'batch',
    figure: 'speed',
    bound: 'a raw batch of as many rows as it has keys'
  },
  { path: 'a get of a key not read lately', benchmark: 'get', figure: 'cold', bound: 'a raw get' },
  { path: 'a row of a query', benchmark: 'query', figure: 'speed', bound: 'a raw row' },
  {
    path: 'a delta that a fresh peer catches up with',
    benchmark: 'catch-up',
    figure: 'rate',
    ceiling: 'dag-pb, sha-256 and CID',
    bound: 'encoding and hashing a node of its size'
  }
]

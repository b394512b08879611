/**
 * A curve: how what something costs grows with how much of it there is.
 *
 * Invariant: a curve whose result is wrong, or that fails, has no points.
 */
import { describeError } from '../benchmark.ts'
import { type RunOptions, Scope } from '../scope.ts'

/** An axis of a plot. */
export interface Axis {
  label: string
  /** Whether equal steps on it are equal factors. */
  isLog: boolean
}

/** One measured point of one line. */
export interface Point {
  line: string
  x: number
  y: number
}

export interface Curve {
  name: string
  /** What is drawn, in one line. */
  about: string
  x: Axis
  y: Axis
  /**
   * Whether it takes minutes even in a quick run, and so is no part of one.
   *
   * @default false
   */
  isLong?: boolean
  points(scope: Scope): AsyncIterable<Point>
}

/** What a curve gave: its points, or why there are none. */
export interface CurveResult extends Pick<Curve, 'name' | 'about' | 'x' | 'y'> {
  seconds: number
  points: Point[]
  error?: string
}

export async function draw(curve: Curve, options: RunOptions): Promise<CurveResult> {
  const { name, about, x, y } = curve
  const start = performance.now()
  const points: Point[] = []
  const seconds = (): number => (performance.now() - start) / 1000
  try {
    await Scope.run(options, async (scope) => {
      for await (const point of curve.points(scope)) {
        points.push(point)
        process.stderr.write('.')
      }
    })
    return { name, about, x, y, seconds: seconds(), points }
  } catch (error) {
    return { name, about, x, y, seconds: seconds(), points: [], error: describeError(error) }
  }
}

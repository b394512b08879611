/**
 * Every curve, in the order in which they are drawn.
 */
import type { Curve } from './curve.ts'

export const curves: readonly Curve[] = []

/**
 * Draws the curves that were measured to SVG, one file each.
 *
 *     npm run bench:plot [-- FILE]
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CurveResult } from './curves/curve.ts'
import { ensureInstalled } from './installed-folder.ts'
import { CHART_SIZE, chartOf } from './plots/chart.ts'

const CURVES = fileURLToPath(new URL('results/curves.json', import.meta.url))
const PLOTS = fileURLToPath(new URL('plots', import.meta.url))
const DRAWINGS = fileURLToPath(new URL('../docs/performance', import.meta.url))

const [file = CURVES] = process.argv.slice(2)
const { results } = JSON.parse(readFileSync(file, 'utf8')) as { results: CurveResult[] }
mkdirSync(DRAWINGS, { recursive: true })
await ensureInstalled(PLOTS)
const renderer = spawn(process.execPath, [join(PLOTS, 'render.js')], {
  stdio: ['pipe', 'inherit', 'inherit']
})
const charts = results
  .filter(({ points }) => points.length > 0)
  .map((curve) => ({ file: join(DRAWINGS, `${curve.name}.svg`), ...CHART_SIZE, option: chartOf(curve) }))
renderer.stdin.end(JSON.stringify(charts))
const [code] = await once(renderer, 'close')
if (code === 0) console.log(`Drew ${charts.map(({ file }) => file).join('\n     ')}`)
process.exitCode = code as number

/**
 * Writes what was measured into docs/performance.md, so that no figure is typed by hand.
 *
 *     npm run bench:report
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { CurveResult } from '../curves/curve.ts'
import type { ProfileResult } from '../profile/result.ts'
import type { Result } from '../runner.ts'
import {
  ceilingsTable,
  curvesList,
  fill,
  type Measured,
  profilesTable,
  provenance,
  rivalsTable,
  targetsTable
} from './markdown.ts'

const PAGE = fileURLToPath(new URL('../../docs/performance.md', import.meta.url))

function read<T>(name: string): Measured<T> {
  const file = new URL(`../results/${name}.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')) as Measured<T>
}

const latest = read<Result>('latest')
const curves = read<CurveResult>('curves')
const profiles = read<ProfileResult>('profiles')

const sections: Record<string, string> = {
  targets: `${provenance(latest)}\n\n${targetsTable(latest)}`,
  rivals: `${provenance(latest)}\n\n${rivalsTable(latest)}`,
  ceilings: ceilingsTable(latest),
  curves: `${provenance(curves)}\n\n${curvesList(curves)}`,
  profiles: `${provenance(profiles)}\n\n${profilesTable(profiles)}`
}
const page = Object.entries(sections).reduce(
  (text, [name, content]) => fill(text, name, content),
  readFileSync(PAGE, 'utf8')
)
writeFileSync(PAGE, page)
console.log(`Wrote ${Object.keys(sections).join(', ')} into ${PAGE}`)

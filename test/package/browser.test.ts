// Every sub-path can be bundled for browsers, without shims, and does not grow unnoticed. Sizes are with all
// dependencies, minified. When one of them is passed for good reason, it is set anew: the size and 15 percent.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type BuildOptions, build } from 'esbuild'
import { beforeAll, expect, test } from 'vitest'
import { manifest, programsFolder, runNode } from './installed.ts'

const BUNDLE_BYTES_MAX: Record<string, number> = {
  '.': 325_000,
  './libp2p': 158_000,
  './helia': 3_000
}

let folder: string

beforeAll(async () => {
  folder = await programsFolder()
})

/** The bundle's code, and what it imports at run time, which should be nothing. */
async function bundle(options: BuildOptions): Promise<{ code: Uint8Array; imports: string[] }> {
  const { outputFiles, metafile } = await build({
    ...{ bundle: true, platform: 'browser', format: 'esm', target: 'es2022', minify: true },
    ...{ write: false, metafile: true, logLevel: 'silent', outfile: 'bundle.mjs', absWorkingDir: folder },
    ...options
  })
  const imports = Object.values(metafile!.outputs).flatMap((output) => output.imports.map(({ path }) => path))
  return { code: outputFiles![0]!.contents, imports }
}

/** The testkit is for tests, and for Node.js. */
const NOT_FOR_BROWSERS = ['./testkit']

test('every sub-path has a bound, or is for Node.js alone', () => {
  expect([...Object.keys(BUNDLE_BYTES_MAX), ...NOT_FOR_BROWSERS]).toEqual(Object.keys(manifest().exports))
})

test.each(Object.entries(BUNDLE_BYTES_MAX))(
  'the bundle of %s imports nothing, and is small',
  async (path, max) => {
    const contents = `export * from '${manifest().name}${path.slice(1)}'`
    const { code, imports } = await bundle({ stdin: { contents, resolveDir: folder } })
    console.info(`bundle of ${path}: ${code.length} bytes, ${gzipSync(code, { level: 9 }).length} with gzip`)
    expect(imports).toEqual([])
    expect(Buffer.from(code).toString()).not.toMatch(/\b(from|import|require)\s*\(?\s*["']node:/)
    expect(code.length).toBeLessThanOrEqual(max)
  }
)

test("a user's program runs from a bundle, where there is neither process nor Buffer", async () => {
  const { code, imports } = await bundle({
    entryPoints: ['program.mts'],
    // Node shows the line that failed.
    minify: false,
    banner: { js: 'globalThis.process = globalThis.Buffer = undefined;' }
  })
  expect(imports).toEqual([])
  await writeFile(join(folder, 'bundle.mjs'), code)
  expect(await runNode(folder, ['bundle.mjs'])).toBe(
    'local /greeting, local /gone, local /gone, /greeting hello\n'
  )
})

// No public type is `any`, which would turn off the user's compiler without a word.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { packageFolder } from './installed.ts'

/** Where `any` stands for a type: not in a comment, not in a string, and not as the name of something. */
function findAny(declarations: string): string[] {
  const code = declarations.replace(/\/\*[\s\S]*?\*\/|\/\/.*|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"/g, (text) =>
    text.startsWith('/') ? '' : "''"
  )
  return [...code.matchAll(/^.*(?<![\w$.])any(?![\w$]|\s*\??[:(]).*$/gm)].map(([line]) => line.trim())
}

test('no public type is any', () => {
  // All of them, also those that no entry point reaches: one less thing to get wrong.
  const files = globSync('dist/**/*.d.ts', { cwd: packageFolder() })
  expect(files.length).toBeGreaterThan(0)
  const found = files.flatMap((file) =>
    findAny(readFileSync(join(packageFolder(), file), 'utf8')).map((line) => `${file}: ${line}`)
  )
  expect(found).toEqual([])
})

// Without this, a search that finds nothing would let the test above pass.
test('every form of any is found', () => {
  const declarations = [
    'export declare const a: any;',
    'handler: (...args: any[]) => void;',
    'export type Loose = Map<string, any>;',
    'f<T = any>(value: T extends any ? 1 : 2): Promise<any>',
    '/** Never any of these. */ // any',
    'type Word = \'any\' | "any"',
    'any: number; any?: string; any(signals: never): void; company: string; $any: 1',
    "/** It's any. */ export declare const it: string; // it's any"
  ]
  expect(findAny(declarations.join('\n'))).toEqual(declarations.slice(0, 4))
})

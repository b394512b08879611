// Copies of the repository to put mutants into: the work tree is never changed.
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Mutant, mutatedFiles } from './mutant.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))

/** What tests read beside `src` and `test`. */
const COPIED = ['src', 'test', 'docs', 'package.json', 'tsconfig.json', 'vitest.config.ts']

export class Scratch {
  readonly root: string

  constructor() {
    this.root = mkdtempSync(join(tmpdir(), 'datastore-crdt-mutant-'))
    for (const name of COPIED) cpSync(join(repository, name), join(this.root, name), { recursive: true })
    // A folder of links and not a link to the folder: vite keeps its caches in it.
    const modules = join(this.root, 'node_modules')
    mkdirSync(modules)
    for (const name of readdirSync(join(repository, 'node_modules'))) {
      if (!name.startsWith('.')) symlinkSync(join(repository, 'node_modules', name), join(modules, name))
    }
  }

  /** Runs a task while the mutant is in the source. */
  async with<T>(mutant: Mutant, task: () => Promise<T>): Promise<T> {
    const read = (file: string): string => readFileSync(join(this.root, 'src', file), 'utf8')
    const mutated = mutatedFiles(mutant, read)
    const before = new Map([...mutated.keys()].map((file) => [file, read(file)]))
    this.#write(mutated)
    try {
      return await task()
    } finally {
      this.#write(before)
    }
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true })
  }

  #write(files: ReadonlyMap<string, string>): void {
    for (const [file, text] of files) writeFileSync(join(this.root, 'src', file), text)
  }
}

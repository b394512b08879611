/**
 * What the suite can be told on the command line.
 */
import { parseArgs } from 'node:util'

export const HELP = `npm run bench -- [options]

  --quick          smaller and fewer
  --only NAME      only this one; may be given several times
  --json FILE      every sample, for a program to read
  --skip-rivals    without go-ds-crdt, js-ds-crdt and OrbitDB
  --curves         how cost grows with work, in place of the benchmarks
  --profile FOLDER CPU profiles of the processes that a benchmark watches
  --list           what there is
  --help           this`

/** What was asked for. */
export interface Arguments {
  quick: boolean
  only: string[]
  json?: string | undefined
  rivals: boolean
  curves: boolean
  profile?: string | undefined
  list: boolean
  help: boolean
}

/** An argument that cannot be. */
export class ArgumentError extends Error {
  override name = 'ArgumentError'
}

/** @throws ArgumentError */
export function parseArguments(args: readonly string[]): Arguments {
  const { values } = parse(args)
  return {
    quick: values.quick,
    only: values.only ?? [],
    json: values.json,
    rivals: !values['skip-rivals'],
    curves: values.curves,
    profile: values.profile,
    list: values.list,
    help: values.help
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true },
        json: { type: 'string' },
        'skip-rivals': { type: 'boolean', default: false },
        curves: { type: 'boolean', default: false },
        profile: { type: 'string' },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false }
      }
    })
  } catch (error) {
    throw new ArgumentError(error instanceof Error ? error.message : String(error))
  }
}

/**
 * Those that were named; otherwise all, but in a quick run none that is long.
 *
 * @throws ArgumentError if there is none of a name.
 */
export function choose<Named extends { name: string; isLong?: boolean }>(
  all: readonly Named[],
  only: readonly string[],
  quick: boolean
): Named[] {
  const unknown = only.filter((wanted) => !all.some(({ name }) => name === wanted))
  if (unknown.length > 0)
    throw new ArgumentError(`There is no ${unknown.join(', ')}; --list tells what there is.`)
  if (only.length > 0) return all.filter(({ name }) => only.includes(name))
  return all.filter(({ isLong = false }) => !(quick && isLong))
}

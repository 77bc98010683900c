import { parseArgs } from 'node:util'
import { SEED_LIMIT } from '../../src/sim/random.ts'

export const USAGE = `bun run test:mutants [options]
  --all         every mistake of the table
  --sample N    so many of them, at random (10)
  --seed N      repeats a sample (random)
  --only TEXT   those whose name, file or guard contains the text
  --jobs N      how many at once (1)`

export interface Args {
  sample: number
  seed: number
  only: string
  jobs: number
}

/** @throws Error that says what can't be read. */
export function readArgs(args: string[]): Args {
  const text = { type: 'string' } as const
  const options = { all: { type: 'boolean' }, sample: text, seed: text, only: text, jobs: text } as const
  const { values } = parseArgs({ args, options })
  const isWhole = values.all === true || (values.only !== undefined && values.sample === undefined)
  return {
    sample: isWhole ? Number.POSITIVE_INFINITY : integer('sample', values.sample ?? '10', 1),
    seed: integer('seed', values.seed ?? String(Math.floor(Math.random() * SEED_LIMIT)), 0),
    only: values.only ?? '',
    jobs: integer('jobs', values.jobs ?? '1', 1),
  }
}

function integer(name: string, text: string, least: number): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new Error(`--${name}: expected a whole number from ${least}, got "${text}"`)
}

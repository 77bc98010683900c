import { parseArgs } from 'node:util'
import { SEED_LIMIT } from '../../src/sim/random.ts'
import type { SetupName } from './injection/kind.ts'
import { LEAST_SOURCES } from './upstream/content.ts'

export interface Args {
  setups: readonly SetupName[]
  /** How long faults are injected, in each set-up. */
  seconds: number
  seed: number
  /** Faults in progress together, at most. */
  atOnce: number
  streams: number
  /** Where the figures are written as JSON. */
  json: string | undefined
  /** Where everything that the processes print is appended. */
  log: string | undefined
  /** Where the logs of streams that don't hold are written, as NDJSON. */
  dump: string | undefined
}

export const USAGE = `bun test/faults/main.ts [options]
  --setup embedded|postgres|postgres-redis|all  (all)
  --seconds N   how long faults are injected, in each set-up (60)
  --seed N      repeats the faults of a run (random)
  --at-once N   faults in progress together, at most (4)
  --streams N   streams of each set-up (30)
  --json FILE   writes the figures there
  --log FILE    appends everything that the processes print there
  --dump DIR    writes the logs that don't hold there
bun test/faults/main.ts disk --help  power cuts, full disks, damaged files, kills`

const SETUPS: readonly SetupName[] = ['embedded', 'postgres', 'postgres-redis']

/** @throws Error that says what can't be read. */
export function readArgs(args: string[]): Args {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args,
    options: {
      setup: { ...text, default: 'all' },
      seconds: { ...text, default: '60' },
      seed: text,
      'at-once': { ...text, default: '4' },
      streams: { ...text, default: '30' },
      json: text,
      log: text,
      dump: text,
    },
  })
  const { setup, json, log, dump } = values
  const setups = setup === 'all' ? SETUPS : SETUPS.filter((name) => name === setup)
  if (setups.length === 0) throw new Error(`--setup: there is no ${setup}`)
  return {
    setups,
    seconds: integer('seconds', values.seconds, 1),
    seed:
      values.seed === undefined ? Math.floor(Math.random() * SEED_LIMIT) : integer('seed', values.seed, 0),
    atOnce: integer('at-once', values['at-once'], 1),
    streams: integer('streams', values.streams, LEAST_SOURCES),
    json,
    log,
    dump,
  }
}

function integer(name: string, text: string, least: number): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < least) {
    throw new Error(`--${name}: expected a whole number from ${least}, got "${text}"`)
  }
  return value
}

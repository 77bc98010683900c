import { parseArgs } from 'node:util'
import { SEED_LIMIT } from '../../../src/sim/random.ts'
import { clear } from '../stage.ts'
import { damages } from './damages.ts'
import { fullDisks } from './full.ts'
import { kills } from './kills.ts'
import { LoopDisk } from './loop.ts'
import { powerCuts } from './power.ts'
import type { Trial, TrialResult } from './trial.ts'

/**
 * Cuts the power, fills the disk, damages files and kills processes at random moments, and proves that what was acknowledged is
 * there afterwards.
 */

export const DISK_USAGE = `bun test/faults/main.ts disk [options]
  --setup power|full|damage|kills|all  (all)
  --cuts N        power cuts (20)
  --fills N       times that the disk is full (3)
  --damages N     damaged files (30)
  --kills N       kills, of each operation in turn (30)
  --seed N        repeats the moments of a run (random)
  --without-sync  the database doesn't sync: power cuts must lose something then
  --log FILE      appends everything that the processes print there`

interface Setup {
  run(trial: Trial): Promise<TrialResult>
  /** Whether it needs a disk of its own. */
  needsDisk: boolean
  times: keyof typeof TIMES
}

/** How often each thing is done, unless told otherwise. */
const TIMES = { cuts: 20, fills: 3, damages: 30, kills: 30 }

const SETUPS: Record<string, Setup> = {
  power: { run: powerCuts, needsDisk: true, times: 'cuts' },
  full: { run: fullDisks, needsDisk: true, times: 'fills' },
  damage: { run: damages, needsDisk: false, times: 'damages' },
  kills: { run: kills, needsDisk: false, times: 'kills' },
}

/** @returns the exit code */
export async function runDisk(argv: string[]): Promise<number> {
  if (argv.includes('--help')) {
    console.log(DISK_USAGE)
    return 0
  }
  const args = readArgs(argv)
  if (typeof args === 'string') {
    console.error(`${args}\n${DISK_USAGE}`)
    return 2
  }
  const undoing: (() => Promise<unknown>)[] = []
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void clear(undoing).finally(() => process.exit(130)))
  }
  let holds = true
  for (const name of args.setups) holds = (await runSetup(name, args, undoing)) && holds
  return holds ? 0 : 1
}

type Args = Exclude<ReturnType<typeof readArgs>, string>

function readArgs(argv: string[]) {
  const text = { type: 'string' } as const
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        setup: { ...text, default: 'all' },
        ...Object.fromEntries(
          Object.entries(TIMES).map(([name, count]) => [name, { ...text, default: String(count) }]),
        ),
        seed: text,
        'without-sync': { type: 'boolean', default: false },
        log: text,
      },
    })
    const seed = Number(values.seed ?? Math.floor(Math.random() * SEED_LIMIT))
    const times = Object.fromEntries(
      Object.keys(TIMES).map((name) => [name, Number((values as Record<string, unknown>)[name])]),
    ) as typeof TIMES
    if (![seed, ...Object.values(times)].every(Number.isSafeInteger)) return 'Expected whole numbers'
    const setups = Object.keys(SETUPS).filter((name) => ['all', name].includes(values.setup))
    if (setups.length === 0) return `--setup: there is no ${values.setup}`
    return { setups, times, seed, withoutSync: values['without-sync'], logFile: values.log }
  } catch (error) {
    return (error as Error).message
  }
}

async function runSetup(name: string, args: Args, undoing: (() => Promise<unknown>)[]): Promise<boolean> {
  const { run, needsDisk, times } = SETUPS[name] as Setup
  const { seed, withoutSync, logFile } = args
  const count = args.times[times]
  if (needsDisk && !LoopDisk.isPossible()) {
    console.log(`disk ${name}: skipped, this process can't make and mount a disk in a file`)
    return process.env.WEIR_REQUIRE_SETUPS === undefined
  }
  console.log(
    `disk ${name}: ${count} ${times}. Repeat with --setup ${name} --${times} ${count} --seed ${seed}`,
  )
  const tell = (line: string) => console.log(`[${name}] ${line}`)
  const trial = {
    seed,
    times: count,
    withoutSync,
    logFile,
    tell,
    undo: (step: () => Promise<unknown>) => void undoing.push(step),
  }
  try {
    const { faults, figures } = await run(trial)
    for (const [what, value] of Object.entries(figures)) tell(`${what}: ${value}`)
    return judge(name, faults, withoutSync)
  } catch (error) {
    console.error(`[${name}] ${error instanceof Error ? error.stack : error}`)
    return false
  } finally {
    await clear(undoing)
  }
}

function judge(name: string, faults: readonly string[], mustFail: boolean): boolean {
  for (const fault of faults) console.log(`  - ${fault}`)
  if (mustFail)
    console.log(
      faults.length > 0
        ? '  losses are found without sync'
        : "  a database without sync lost nothing: the cuts don't cut",
    )
  else
    console.log(
      faults.length === 0 ? `  disk ${name} holds` : `  ${faults.length} things do not hold in disk ${name}`,
    )
  return faults.length > 0 === mustFail
}

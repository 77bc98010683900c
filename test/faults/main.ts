import { type Args, readArgs, USAGE } from './args.ts'
import { runDisk } from './disk/main.ts'
import { LIBFAKETIME } from './injection/clock.ts'
import { type Result, record, table } from './report.ts'
import { clear } from './stage.ts'
import { runTrial } from './trial.ts'

/**
 * Kills, freezes, disconnects and restarts what a Weir is made of and stands on, while numbered events flow through
 * it, and proves that nothing was lost in silence, doubled or damaged.
 */

/** Beside the time of its faults, a set-up may take this long, in milliseconds: starts, calm, recovery and proof. */
const LIMIT_MS = 240_000

/** What must be undone, whatever happens. */
const clearing: (() => Promise<unknown>)[] = []

function args(): Args {
  if (process.argv.includes('--help')) {
    console.log(USAGE)
    process.exit(0)
  }
  try {
    return readArgs(process.argv.slice(2))
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`)
    process.exit(2)
  }
}

async function main({ setups, json, log, ...args }: Args): Promise<boolean> {
  const { seconds, seed, atOnce } = args
  console.log(
    `Faults for ${seconds} s in each of ${setups.join(', ')}. Repeat with --seed ${seed} --at-once ${atOnce}`,
  )
  if (LIBFAKETIME === undefined) console.log('Clocks are left alone: libfaketime is not installed.')
  const results: Result[] = []
  let holds = true
  for (const setup of setups) {
    const tell = (line: string) => console.log(`[${setup}] ${line}`)
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(
      () => late.reject(new Error(`${setup} did not end within its limit`)),
      seconds * 1_000 + LIMIT_MS,
    )
    try {
      const options = { ...args, setup, logFile: log, tell }
      const result = await Promise.race([runTrial(options, clearing), late.promise])
      if (result === undefined) continue
      results.push(result)
      console.log(table(result))
      holds &&= result.faults.length === 0
    } catch (error) {
      holds = false
      console.error(`[${setup}] ${error instanceof Error ? error.stack : error}`)
    } finally {
      clearTimeout(timer)
      await clear(clearing)
    }
  }
  if (json !== undefined) await Bun.write(json, `${JSON.stringify(results.map(record), undefined, 2)}\n`)
  return holds
}

if (process.argv[2] === 'disk') process.exit(await runDisk(process.argv.slice(3)))
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void clear(clearing).finally(() => process.exit(130))
  })
}
process.exit((await main(args())) ? 0 : 1)

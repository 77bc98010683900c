import { parseArgs } from 'node:util'
import { SEED_LIMIT } from '../../src/sim/random.ts'
import { fuzzDoor } from './door.ts'
import { fuzz } from './fuzz.ts'

/** Throws malformed bytes at a Weir, from its clients' side and from its upstreams'. */

const USAGE = `bun test/fuzz/main.ts [options]
  --seconds N   how long (60)
  --seed N      repeats a run's requests and answers (random)
  --door        attacks who gets in: hosts, targets, methods and keys`
const OPTIONS = { seconds: { type: 'string' }, seed: { type: 'string' }, door: { type: 'boolean' } } as const
const MAX_SECONDS = 86_400

function args(): { seconds: number; seed: number; door: boolean } {
  const { values } = parseArgs({ options: OPTIONS })
  const seconds = Number(values.seconds ?? 60)
  const seed = Number(values.seed ?? Math.floor(Math.random() * SEED_LIMIT))
  if (Number.isInteger(seconds) && seconds > 0 && seconds <= MAX_SECONDS && Number.isSafeInteger(seed))
    return { seconds, seed, door: values.door ?? false }
  throw new Error('expected whole numbers')
}

async function main(): Promise<number> {
  let asked: ReturnType<typeof args>
  try {
    asked = args()
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`)
    return 2
  }
  console.log(`Fuzzing for ${asked.seconds} s. Repeat with --seed ${asked.seed}`)
  const { faults, output, ...figures } = asked.door
    ? { ...(await fuzzDoor(asked)), output: '' }
    : await fuzz({ ...asked, tell: (line) => console.log(line) })
  console.log(JSON.stringify(figures, undefined, 2))
  if (faults.length > 0 && output !== '') console.log(`Weir printed, in the end:\n${output}`)
  for (const fault of faults) console.log(`FAULT ${fault}`)
  console.log(faults.length === 0 ? '  everything holds' : `  ${faults.length} faults`)
  return faults.length === 0 ? 0 : 1
}

process.exit(await main())

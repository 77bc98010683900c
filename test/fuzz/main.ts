import { parseArgs } from 'node:util'
import { SEED_LIMIT } from '../../src/sim/random.ts'
import { fuzzDoor } from './door.ts'
import { fuzz } from './fuzz.ts'
import { exploreApart, PARSER_NAMES, plantCount } from './parsers/apart.ts'

/** Throws malformed bytes at a Weir, from its clients' side and from its upstreams', or at one of its parsers. */

const USAGE = `bun test/fuzz/main.ts [options]
  --seconds N   how long (60)
  --seed N      repeats a run's requests and answers (random)
  --parser NAME explores a parser by the branches it takes, or all of them, each for so long
                (${PARSER_NAMES.join(', ')})
  --plant       with each of the parser's faults planted in turn, which must be found
  --door        attacks who gets in: hosts, targets, methods and keys`
const TEXT = { type: 'string' } as const
const FLAG = { type: 'boolean' } as const
const OPTIONS = { seconds: TEXT, seed: TEXT, door: FLAG, parser: TEXT, plant: FLAG } as const
const MAX_SECONDS = 86_400

interface Args {
  seconds: number
  seed: number
  door: boolean
  parsers: readonly string[]
  plant: boolean
}

/** @throws Error that says what can't be read. */
function args(): Args {
  const { values } = parseArgs({ options: OPTIONS })
  const seconds = Number(values.seconds ?? 60)
  const seed = Number(values.seed ?? Math.floor(Math.random() * SEED_LIMIT))
  const { parser, door = false, plant = false } = values
  const parsers = PARSER_NAMES.filter((name) => parser === 'all' || parser === name)
  if (parser !== undefined && parsers.length === 0) throw new Error(`--parser: there is no ${parser}`)
  if (Number.isInteger(seconds) && seconds > 0 && seconds <= MAX_SECONDS && Number.isSafeInteger(seed))
    return { seconds, seed, door, parsers, plant }
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
  if (asked.parsers.length > 0) return exploreAll(asked)
  const { faults, output, ...figures } = asked.door
    ? { ...(await fuzzDoor(asked)), output: '' }
    : await fuzz({ ...asked, tell: (line) => console.log(line) })
  console.log(JSON.stringify(figures, undefined, 2))
  if (faults.length > 0 && output !== '') console.log(`Weir printed, in the end:\n${output}`)
  for (const fault of faults) console.log(`FAULT ${fault}`)
  console.log(faults.length === 0 ? '  everything holds' : `  ${faults.length} faults`)
  return faults.length === 0 ? 0 : 1
}

async function exploreAll({ parsers, seed, seconds, plant }: Args): Promise<number> {
  let wrong = 0
  for (const name of parsers) {
    const planted = plant
      ? Array.from({ length: plantCount(name) }, (_, number) => ({ plant: number }))
      : [{}]
    for (const each of planted) {
      const { inputs, reached, crash } = await exploreApart(name, { seed, seconds, ...each })
      const fault = 'plant' in each ? `, fault ${each.plant} ${crash ? 'found' : 'hidden'}` : ''
      console.log(`${name}: ${inputs} inputs took ${reached} branches${fault}`)
      if (crash !== undefined) console.log(`  ${JSON.stringify(crash.input)}\n  ${crash.error}`)
      const isPlanted = crash?.error.startsWith('Error: planted') ?? false
      if ((crash !== undefined && !isPlanted) || isPlanted !== plant) wrong++
    }
  }
  console.log(
    wrong === 0 ? '  everything holds' : `  ${wrong} explorations ${plant ? 'missed the fault' : 'crashed'}`,
  )
  return wrong === 0 ? 0 : 1
}

process.exit(await main())

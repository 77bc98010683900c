import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { explore } from './explore.ts'
import { instrumentImports } from './load.ts'
import { PARSERS, type ParserName, plantsOf } from './targets.ts'

/** Explores one parser, in a process of its own, and writes what it found as JSON. */

const CORPUS = join(import.meta.dir, 'corpus')

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      parser: { type: 'string' },
      seed: { type: 'string', default: '0' },
      seconds: { type: 'string', default: '60' },
      inputs: { type: 'string', default: 'Infinity' },
      /** Number of the fault to plant. */
      plant: { type: 'string' },
    },
  })
  const name = values.parser as ParserName
  const { files, open } = PARSERS[name]
  const isPlanted = values.plant !== undefined
  const plant = plantsOf(name)[Number(values.plant)]
  if (isPlanted && plant === undefined) throw new Error(`${name} has no fault ${values.plant}`)
  const instruments = instrumentImports(files, plant)
  const target = await open()
  const ends = performance.now() + Number(values.seconds) * 1_000
  const found = await explore(target, instruments, {
    seed: Number(values.seed),
    until: (inputs) => inputs < Number(values.inputs) && performance.now() < ends,
    corpus: isPlanted ? [] : await corpusOf(name),
  })
  const { crash } = found
  if (crash !== undefined && !isPlanted) await keep(name, crash.input)
  console.log(JSON.stringify({ ...found, crash: crash && { input: crash.input, error: crash.error.stack } }))
}

/** Inputs that once crashed the parser. */
async function corpusOf(name: ParserName): Promise<string[]> {
  const paths = [...new Bun.Glob(`${name}-*.json`).scanSync(CORPUS)]
  return Promise.all(paths.map((path) => Bun.file(join(CORPUS, path)).json()))
}

async function keep(name: ParserName, input: string): Promise<void> {
  const text = JSON.stringify(input)
  await Bun.write(join(CORPUS, `${name}-${Bun.hash(text).toString(36)}.json`), `${text}\n`)
}

await main()

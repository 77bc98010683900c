import { setTimeout as delay } from 'node:timers/promises'
import { takeEnvironment } from '../environment.ts'
import { runningWeir } from '../running.ts'
import { parseArguments, USAGE } from './args.ts'
import type { SimGraph } from './graph/graph.ts'
import { loadGraph } from './graph/load-graph.ts'
import { SEED_LIMIT } from './random.ts'
import { PortError } from './service/service.ts'
import { startSimulation } from './start.ts'
import { REMOVE_TIMEOUT_MS } from './weir/register.ts'

/** Whatever is still open after this is left to the end of the process. */
const CLOSE_DEADLINE_MS = 1_500

const environment = takeEnvironment()
const running = await runningWeir(environment)
const parsed = parseArguments(process.argv.slice(2), environment.WEIR_TOKEN, running)
if (parsed.kind === 'help') {
  console.log(USAGE)
  process.exit(0)
}
if (parsed.kind === 'invalid') {
  for (const problem of parsed.problems) console.error(problem)
  console.error('Run with --help for usage.')
  process.exit(2)
}

const { graph: chosen, seed: givenSeed, controlPort = 0, remove = false, ...given } = parsed.options
const drawnSeed = givenSeed ?? Math.floor(Math.random() * SEED_LIMIT)
const loaded = chosen === undefined ? { graph: {} } : await loadGraph(chosen, drawnSeed)
if ('problems' in loaded) {
  for (const problem of loaded.problems) console.error(`${chosen?.which}: ${problem}`)
  process.exit(2)
}
const { seed: graphSeed, ...graph }: Partial<SimGraph> = loaded.graph
const seed = givenSeed ?? graphSeed ?? drawnSeed

const options = { ...given, ...graph, seed, controlPort }
const simulation = await startSimulation(options).catch((error: unknown) => {
  if (!(error instanceof PortError)) throw error
  console.error(error.message)
  process.exit(1)
})
console.log(`seed ${seed}`)
const width = Math.max(...simulation.services.map(({ name }) => name.length))
for (const { name, url } of simulation.services) console.log(`${name.padEnd(width)} ${url}`)
console.log(`traffic: ${simulation.controlUrl}/traffic`)
console.log(`Weir: ${options.web}`)

const close = () => {
  Promise.race([simulation.close(remove), delay(CLOSE_DEADLINE_MS + (remove ? REMOVE_TIMEOUT_MS : 0))]).then(
    () => process.exit(0),
    (error) => {
      console.error(error)
      process.exit(1)
    },
  )
}
process.once('SIGINT', close)
process.once('SIGTERM', close)

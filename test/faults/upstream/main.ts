import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { startSimulation } from '../../../src/sim/start.ts'
import { realWorld } from '../../../src/sim/world.ts'
import { serviceOf, sources } from './content.ts'
import { answerLine, sentLine } from './journal.ts'

/**
 * The upstream: simulated services in a process of its own, so that it can be killed and frozen.
 * `upstream/main.ts FIRST_PORT STARTED_AT COUNT JOURNAL`. Every number is written to the journal before it goes to the
 * newest reader of its source, and every answer to a poll before it is sent. Once the file `JOURNAL.hush` holds an
 * instant, the clock stops there.
 */

/** How often the hush file is looked for, in milliseconds: well below the notice that it gives. */
const LOOK_EVERY_MS = 100

const [firstPort, startedAt, count, journal = ''] = process.argv.slice(2)
const hushFile = `${journal}.hush`
const all = sources(Number(count))
const indexOf = new Map(all.map(({ name, index }) => [name, index]))
let hushedAt = Number.POSITIVE_INFINITY

function look(): void {
  if (existsSync(hushFile)) hushedAt = Number(readFileSync(hushFile, 'utf8'))
}
look()
setInterval(look, LOOK_EVERY_MS)

await startSimulation(
  {
    services: all.map((source) => serviceOf(source, Number(startedAt), Number(firstPort))),
    // Nobody is told of it: its world has no network.
    web: 'http://127.0.0.1',
    seed: 1,
    register: false,
    onSent: (name, number) =>
      appendFileSync(journal, sentLine({ index: indexOf.get(name) as number, number, at: Date.now() })),
    onAnswer: (name, { id, status, document, isWhole }) => {
      const { version } = document as { version: number }
      const index = indexOf.get(name) as number
      appendFileSync(journal, answerLine({ index, id, status, version, isWhole, at: Date.now() }))
    },
  },
  {
    ...realWorld,
    fetch: () => Promise.reject(new Error('no network')),
    now: () => Math.min(Date.now(), hushedAt),
    log: () => {},
  },
)
console.log('the upstream runs')

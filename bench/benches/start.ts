import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStorage } from '../../src/storage/open.ts'
import type { Bench, Context, Goal, Report } from '../lib/bench.ts'
import { type Child, startChild } from '../lib/child.ts'
import { usageOf } from '../lib/process-tree.ts'
import { fillRows } from '../lib/rows.ts'
import { median, spread } from '../lib/statistics.ts'
import { startMain } from '../lib/weir.ts'

const ROUNDS = 7
const MOST = 1.3
const DATA = { streams: 1_000, entriesPerStream: 100, days: 10, isRunning: false }

/** From process start until it is up. */
interface Start {
  wallMs: number
  cpuMs: number
  /** Until Weir has served its first page. */
  pageMs?: number
}

type Program = 'database alone' | 'Weir'
type Occasion = 'first' | 'next'
type Started = Record<Occasion, Record<Program, Start[]>>

export default {
  title: 'how long does it take to start?',
  limits: [
    'On PGlite, which Weir used before, the same machine took 2,621 ms for a first start (2,090 the database alone) and 423 ms for the next (279): more time, at a smaller multiple of a slower database.',
    'Weir loads about 850 modules, less than half of them its own, in about 120 ms of one core while the database server starts on the other. The rest is that start and the first queries. A bundle would load faster, but there is no build step.',
    "Kept: the database server starts while modules load, what a page doesn't need (BullMQ, pg, ioredis, mail, protobuf, the OpenAPI document) loads later, input is checked without compiling schemas.",
  ],
  async run(context) {
    const { short, log, scope } = context
    const started: Started = {
      first: { 'database alone': [], Weir: [] },
      next: { 'database alone': [], Weir: [] },
    }
    const filled = directory(scope)
    const storage = await openStorage({ databaseUrl: undefined, dataDir: filled })
    await fillRows(storage.db, short ? { ...DATA, streams: 10 } : DATA)
    await storage.close()
    for (let round = 0; round < (short ? 1 : ROUNDS); round++) {
      for (const program of ['database alone', 'Weir'] as const) {
        started.first[program].push(await PROGRAMS[program](directory(scope), scope))
        started.next[program].push(await PROGRAMS[program](filled, scope))
      }
      log(`round ${round + 1}`)
    }
    return report(started, context)
  },
} satisfies Bench

const PROGRAMS: Record<Program, (directory: string, scope: AsyncDisposableStack) => Promise<Start>> = {
  'database alone': (directory, scope) =>
    timed(() => startChild(['bun', 'bench/subjects/open-database.ts', directory], scope), /^open$/),
  Weir: (directory, scope) =>
    timed(() => startMain(scope, { DATA_DIR: directory }), /listening on (http:\S+)/),
}

async function timed(start: () => Child, isUp: RegExp): Promise<Start> {
  const begun = performance.now()
  const child = start()
  const [, url] = await child.said(isUp)
  const wallMs = performance.now() - begun
  const cpuMs = usageOf([child.pid]).cpuSeconds * 1000
  if (url === undefined) {
    await child.end('SIGTERM')
    return { wallMs, cpuMs }
  }
  const page = await fetch(url.replace('localhost', '127.0.0.1'))
  if (!page.ok) throw new Error(`The overview: ${page.status}`)
  await page.text()
  const pageMs = performance.now() - begun
  await child.end('SIGTERM')
  return { wallMs, cpuMs, pageMs }
}

function directory(scope: AsyncDisposableStack): string {
  const made = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  scope.defer(() => rmSync(made, { recursive: true, force: true }))
  return made
}

function report(started: Started, { short }: Context): Report {
  const occasions = ['first', 'next'] as const
  const ratio = (occasion: Occasion, of: 'wallMs' | 'cpuMs') => {
    const [weir, alone] = (['Weir', 'database alone'] as const).map((program) =>
      median(started[occasion][program].map((each) => each[of])),
    ) as [number, number]
    return weir / alone
  }
  return {
    method: `Processes started in turn, from their start until Weir listens (and until it has served the overview), or until its embedded database has answered one query; first in an empty directory, where all tables are created, then in one with ${DATA.streams.toLocaleString('en')} streams with ${(DATA.streams * DATA.entriesPerStream).toLocaleString('en')} entries. Medians of ${ROUNDS} (least–most).`,
    tables: [
      {
        columns: ['start', 'program', 'ms', 'CPU ms', '× ms', '× CPU', 'first page, ms'],
        rows: occasions.flatMap((occasion) =>
          (['database alone', 'Weir'] as const).map((program) => {
            const starts = started[occasion][program]
            return [
              occasion,
              program,
              spread(
                starts.map(({ wallMs }) => wallMs),
                0,
              ),
              spread(
                starts.map(({ cpuMs }) => cpuMs),
                0,
              ),
              program === 'Weir' ? ratio(occasion, 'wallMs').toFixed(2) : '1',
              program === 'Weir' ? ratio(occasion, 'cpuMs').toFixed(2) : '1',
              program === 'Weir'
                ? spread(
                    starts.map(({ pageMs = 0 }) => pageMs),
                    0,
                  )
                : '–',
            ]
          }),
        ),
      },
    ],
    goals: short
      ? []
      : occasions.map((occasion): Goal => {
          const times = ratio(occasion, 'wallMs')
          return {
            text: `${occasion} start at most ${MOST} × the database alone`,
            measured: `${times.toFixed(2)} ×`,
            reached: times <= MOST,
          }
        }),
    notes: [],
  }
}

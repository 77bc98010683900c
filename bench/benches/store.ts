import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bench, type Context, type Goal, PeerMissing } from '../lib/bench.ts'
import { type Child, startChild } from '../lib/child.ts'
import { usageOf } from '../lib/process-tree.ts'
import { median, spread } from '../lib/statistics.ts'
import { ownPostgres, type Setup } from '../lib/weir.ts'

const WAYS = ['recorder', 'json', 'values'] as const
const NAMES = {
  recorder: 'Weir’s recorder (entries, checkpoints, sums)',
  json: 'raw, rows as JSON',
  values: 'raw, one parameter per value',
}
const ENTRIES = 20_000
const ROUNDS = 5

interface Subject {
  way: (typeof WAYS)[number]
  child: Child
  roots: readonly number[]
  /** CPU microseconds per entry, by round. */
  micros: number[]
}

export default {
  title: 'what does storing an entry cost, compared with inserting its row?',
  limits: [
    "Besides inserting the row, the recorder updates each stream's checkpoint, which is the fence that keeps a replaced run from writing. With one entry per stream in a batch, that is one update per insert. Its rows are also wider: twenty columns instead of the eleven of the raw inserts.",
    'Kept: only a write whose first response was lost looks for existing entries, nothing unneeded is returned, and the pages of checkpoints have room for their next versions (together a fifth of the total).',
    'Tried, but not kept: arrays of columns instead of JSON, one JSON for both (1 µs less, and far harder to read), no checkpoint at all, only the end of the log (3 to 4 µs less; every reader of a checkpoint would have to read that).',
  ],
  async run(context) {
    const rows: string[][] = []
    const goals: Goal[] = []
    const missing: string[] = []
    for (const setup of ['embedded', 'postgres'] as const) {
      try {
        const subjects = await compare(setup, context)
        const of = (way: Subject['way']) =>
          median(subjects.find((subject) => subject.way === way)?.micros ?? [0])
        for (const { way, micros } of subjects) {
          rows.push([
            setup,
            NAMES[way],
            spread(micros),
            (of('json') / median(micros)).toFixed(2),
            (of('values') / median(micros)).toFixed(2),
          ])
        }
        const rate = of('values') / of('recorder')
        const best = of('json') / of('recorder')
        goals.push(
          {
            text: `${setup}: ≥ 0.8 × raw batches of parameters`,
            measured: `${rate.toFixed(2)} ×`,
            reached: rate >= 0.8,
          },
          {
            text: `${setup}: ≥ 0.8 × the fastest raw insert found`,
            measured: `${best.toFixed(2)} ×`,
            reached: best >= 0.8,
          },
        )
      } catch (error) {
        if (!(error instanceof PeerMissing)) throw error
        missing.push(`Missing: ${error.message}.`)
      }
    }
    return {
      method: `Entries of 200 bytes of data spread over 1,000 streams, ${ENTRIES.toLocaleString('en')} per round, ${ROUNDS} rounds in turns, written as fast as possible in transactions of 1,000. CPU of the writer and its database; the ratio is of entries per CPU second.`,
      tables: [{ columns: ['database', 'way', 'CPU µs/entry', '× raw JSON', '× raw parameters'], rows }],
      goals: context.short ? [] : goals,
      notes: missing,
    }
  },
} satisfies Bench

async function compare(setup: Setup, { short, log }: Context): Promise<Subject[]> {
  await using scope = new AsyncDisposableStack()
  const subjects: Subject[] = []
  for (const way of WAYS) subjects.push(await start(setup, way, scope))
  const [rounds, entries] = short ? [1, 2_000] : [ROUNDS, ENTRIES]
  for (const { child } of subjects) await child.ask({ entries: short ? 1_000 : 10_000 })
  for (let round = 0; round < rounds; round++) {
    for (const { way, child, roots, micros } of subjects) {
      const before = usageOf(roots).cpuSeconds
      await child.ask({ entries })
      micros.push(((usageOf(roots).cpuSeconds - before) * 1e6) / entries)
      log(`${setup} ${way}: ${micros.at(-1)?.toFixed(1)} µs`)
    }
  }
  return subjects
}

/** Each has its own database, so that none grows the tables of another. */
async function start(setup: Setup, way: Subject['way'], scope: AsyncDisposableStack): Promise<Subject> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  scope.defer(() => rmSync(directory, { recursive: true, force: true }))
  const database = setup === 'postgres' ? await ownPostgres(scope) : undefined
  const command = ['bun', 'bench/subjects/storer.ts', way, directory, ...(database ? [database.url] : [])]
  const child = startChild(command, scope)
  await child.said(/ready/)
  return { way, child, roots: [child.pid, ...(database ? [database.pid] : [])], micros: [] }
}

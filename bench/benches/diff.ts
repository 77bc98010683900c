import { SHAPES, type Shape } from '../../test/core/changing-documents.ts'
import type { Bench, Context, Goal, Report } from '../lib/bench.ts'
import { type Child, startChild } from '../lib/child.ts'
import { median } from '../lib/statistics.ts'
import type { Ask, Told } from '../subjects/differ.ts'

const WEIR = 'weir'
const PEERS = ['fast-json-patch', 'rfc6902', 'jsondiffpatch']
const SIZES = [1_000, 10_000, 100_000]
/** Steps per size; fewer for the largest one, for which rfc6902 takes seconds. */
const STEPS = 8
const STEPS_OF_LARGEST = 1
/** A differ that is this much slower than the fastest in the first round is measured only once. */
const FAR_SLOWER = 50
/** Rounds, in which the differs take turns. */
const ROUNDS = 5
const WARM_UP_MS = 300
/** CPU time of each differ per round. */
const ROUND_MS = 40
const MOST_BYTES = 1.1
const MOST_TIME = 2
/** Rows are identified by a key that every differ looks for, by a configured one, or by none. */
const KEYS = [
  { key: 'id', isNamed: false, text: 'id' },
  { key: 'slug', isNamed: true, text: 'arrayKeys' },
  { key: 'slug', isNamed: false, text: 'none known' },
]

type Case = Pick<Ask, 'shape' | 'bytes' | 'key' | 'isNamed'> & { text: string }

/** The results of a case, by differ. */
interface Compared {
  case: Case
  told: Map<string, Told>
}

export default {
  title: 'how small are patches, and how fast are they made?',
  limits: [
    'If nothing identifies the rows of a small table or feed, matching them takes about 10 µs. The fastest differ avoids that by replacing cell after cell: its patch is larger than the document.',
  ],
  async run(context) {
    const differs = new Map<string, Child>()
    for (const name of [WEIR, ...PEERS]) {
      differs.set(name, startChild(['bun', 'bench/subjects/differ.ts', name], context.scope))
    }
    for (const child of differs.values()) await child.ask(warmUp(context))
    const all: Compared[] = []
    for (const each of casesOf(context.short ? SIZES.slice(0, 1) : SIZES)) {
      const compared = await compare(each, differs, context)
      context.log(lineOf(compared))
      all.push(compared)
    }
    return report(all, context)
  },
} satisfies Bench

function casesOf(sizes: readonly number[]): Case[] {
  return SHAPES.flatMap((shape) =>
    keysOf(shape).flatMap((keys) => sizes.map((bytes) => ({ shape, bytes, ...keys }))),
  )
}

/** A small document, so that the differ's code is compiled. */
function warmUp({ short, seed }: Context): Ask {
  return {
    shape: 'table',
    bytes: 2_000,
    key: 'slug',
    isNamed: true,
    steps: 2,
    seed,
    forMs: short ? 1 : WARM_UP_MS,
  }
}

/** Deep objects have no rows. */
function keysOf(shape: Shape) {
  return shape === 'deep' ? [{ key: 'id', isNamed: false, text: '–' }] : KEYS
}

async function compare(
  { text, ...asked }: Case,
  differs: ReadonlyMap<string, Child>,
  { short, seed }: Context,
): Promise<Compared> {
  const steps = asked.bytes === SIZES.at(-1) ? STEPS_OF_LARGEST : STEPS
  const told = new Map<string, Told[]>([...differs.keys()].map((name) => [name, []]))
  for (let round = 0; round < (short ? 1 : ROUNDS); round++) {
    const fastest = Math.min(...[...told.values()].map(([first]) => first?.micros ?? Infinity))
    for (const [name, child] of differs) {
      if ((told.get(name)?.[0]?.micros ?? 0) > FAR_SLOWER * fastest) continue
      const ask: Ask = { ...asked, steps, seed, forMs: short ? 1 : ROUND_MS }
      told.get(name)?.push(await child.ask<Told>(ask))
    }
  }
  const wrong = told.get(WEIR)?.find((each) => each.wrong > 0)
  if (wrong !== undefined)
    throw new Error(`${wrong.wrong} patches of Weir's are wrong: ${JSON.stringify(asked)}`)
  return {
    case: { ...asked, text },
    told: new Map([...told].map(([name, rounds]) => [name, overall(rounds)])),
  }
}

function overall(rounds: readonly Told[]): Told {
  return { ...(rounds[0] as Told), micros: median(rounds.map(({ micros }) => micros)) }
}

function report(all: readonly Compared[], { short }: Context): Report {
  return {
    method: `Three kinds of documents that change step by step (seeded): a feed whose items are added at the top and removed at the bottom while some counters change, a table whose rows are changed, added, removed and moved, and deep objects with changing numbers. Each differ is a separate process, and they take turns. CPU per patch is the median of ${ROUNDS} rounds of ${ROUND_MS} ms (of one round for a differ that is ${FAR_SLOWER} × slower than the fastest). Bytes are the total of all patches of a case, in percent of the resulting documents; for Weir, of the document if that is smaller than its patch, because that is what it stores. Rows are identified by a key that Weir and jsondiffpatch are given (\`arrayKeys\`, \`objectHash\`), by an \`id\`, or by nothing that a differ knows. Every patch is applied, and its result compared.`,
    tables: [
      {
        columns: ['document', 'rows by', 'KB', ...[WEIR, ...PEERS].flatMap((name) => [`${name} %`, 'µs'])],
        rows: all.map(({ case: { shape, text, bytes }, told }) => [
          shape,
          text,
          `${bytes / 1000}`,
          ...[...told].flatMap(([name, each]) => [
            `${percent(name === WEIR ? each.sentBytes : each.patchBytes, each)}${each.wrong > 0 ? ' wrong' : ''}`,
            each.micros.toFixed(0),
          ]),
        ]),
      },
    ],
    goals: short ? [] : goals(all),
    notes: [],
  }
}

function goals(all: readonly Compared[]): Goal[] {
  const bytes = all.map((each) => ({ each, ratio: bytesRatio(each) })).sort((a, b) => b.ratio - a.ratio)
  const time = all.map((each) => ({ each, ratio: timeRatio(each) })).sort((a, b) => b.ratio - a.ratio)
  const worst = (sorted: typeof bytes) =>
    `${sorted[0]?.ratio.toFixed(2)} × at most (${nameOf(sorted[0]?.each)})`
  return [
    {
      text: `bytes ≤ ${MOST_BYTES} × the smallest patch or the document, in each of ${all.length} cases`,
      measured: worst(bytes),
      reached: bytes.every(({ ratio }) => ratio <= MOST_BYTES),
    },
    {
      text: `time ≤ ${MOST_TIME} × the fastest correct differ, in each case`,
      measured: worst(time),
      reached: time.every(({ ratio }) => ratio <= MOST_TIME),
    },
  ]
}

/** Weir's bytes compared with the smallest correct peer, and with the document. */
function bytesRatio({ told }: Compared): number {
  const weir = told.get(WEIR) as Told
  const peers = rightOnes(told).map(({ patchBytes }) => patchBytes)
  return weir.sentBytes / Math.min(weir.documentBytes, ...peers)
}

function timeRatio({ told }: Compared): number {
  return (told.get(WEIR) as Told).micros / Math.min(...rightOnes(told).map(({ micros }) => micros))
}

function rightOnes(told: ReadonlyMap<string, Told>): Told[] {
  return PEERS.map((name) => told.get(name) as Told).filter(({ wrong }) => wrong === 0)
}

function lineOf(compared: Compared): string {
  return `${nameOf(compared)}: ${bytesRatio(compared).toFixed(2)} × the bytes, ${timeRatio(compared).toFixed(2)} × the time`
}

function nameOf(compared: Compared | undefined): string {
  if (compared === undefined) return '–'
  const { shape, bytes, text } = compared.case
  return `${shape}, ${bytes / 1000} KB, rows by ${text}`
}

function percent(bytes: number, { documentBytes }: Told): string {
  return ((100 * bytes) / documentBytes).toFixed(1)
}

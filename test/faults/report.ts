import type { Leaks } from './checks/leaks.ts'
import type { Proof } from './checks/proof.ts'
import type { Injected } from './checks/takeover.ts'

/** What one set-up's trial came to. */
export interface Result {
  setup: string
  seed: number
  seconds: number
  atOnce: number
  streams: number
  /** What does not hold; empty when everything does. */
  faults: string[]
  injected: readonly Injected[]
  proof: Proof
  leaks: Leaks
  /** Different numbers that the upstream wrote to a connected socket. */
  sent: number
  /** Whoever read Weir's own streams. */
  readers: readonly { entries: number; connections: number; gaps: number }[]
}

/** The figures of a trial, by what they are called. */
export function figures({ proof, leaks, injected, sent, readers, faults }: Result) {
  const { numbers, polls } = proof
  return {
    'faults injected': injected.length,
    'events sent': sent,
    'events stored': numbers.events,
    'entries stored': proof.stored,
    duplicates: numbers.duplicates,
    'gaps declared': numbers.gaps,
    'events inside declared gaps': numbers.declared,
    'undeclared losses': numbers.undeclared,
    'polls answered': polls.answered,
    'polls stored': polls.logged,
    'polls stored twice': polls.twice,
    'polls inside declared gaps': polls.inGaps,
    'polls stored as errors': polls.asErrors,
    'polls left out as a run ended': polls.atEnds,
    'undeclared losses of polls': polls.undeclared,
    'patch rebuilds checked': proof.patches,
    'longest takeover, ms': Math.max(0, ...Object.values(proof.takeoverMs)),
    'descriptors, most of a process': leaks.most,
    'descriptors, growth in calm': leaks.growth,
    'live messages seen': readers.reduce((sum, { entries }) => sum + entries, 0),
    'live connections opened': readers.reduce((sum, { connections }) => sum + connections, 0),
    'live gaps told': readers.reduce((sum, { gaps }) => sum + gaps, 0),
    'what does not hold': faults.length,
  }
}

/** The trial as a table for people, with what does not hold below it. */
export function table(result: Result): string {
  const { setup, seed, seconds, atOnce, streams, faults, proof } = result
  const rows: [string, string | number][] = [
    ...Object.entries(figures(result)),
    ...Object.entries(countByName(result)).map(([name, count]): [string, number] => [`  ${name}`, count]),
    ...Object.entries(proof.takeoverMs).map(([name, ms]): [string, string] => [
      `  taken over after ${name}`,
      `${ms} ms`,
    ]),
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  const lines = rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)
  const verdict = faults.length === 0 ? 'everything holds' : `${faults.length} things do not hold:`
  const title = `${setup}: ${seconds} s of up to ${atOnce} faults at once on ${streams} streams, seed ${seed}`
  return [title, ...lines, `  ${verdict}`, ...faults.map((fault) => `  - ${fault}`)].join('\n')
}

/** The trial as data. */
export function record(result: Result): Record<string, unknown> {
  const { setup, seed, seconds, atOnce, streams, faults, proof } = result
  return {
    setup,
    seed,
    seconds,
    atOnce,
    streams,
    figures: figures(result),
    injected: countByName(result),
    takeoverMs: proof.takeoverMs,
    faults,
  }
}

function countByName({ injected }: Result): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { name } of injected) counts[name] = (counts[name] ?? 0) + 1
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => a.localeCompare(b)))
}

import { documentAt } from '../../../src/sim/service/numbers.ts'
import type { LoggedEntry } from '../../support/weir.ts'
import { isPolled, type Source } from '../upstream/content.ts'
import type { Journal } from '../upstream/journal.ts'
import { checkDocuments, checkOrder } from './log.ts'
import { NumberCheck, type NumberFigures } from './numbers.ts'
import { checkPolls, NO_POLLS, type PollFigures } from './polls.ts'
import { type Injected, jumps, takeovers } from './takeover.ts'

/** A stream of Weir's, with the source that it follows. */
export interface Followed {
  id: string
  source: Source
}

export interface Proof {
  faults: string[]
  stored: number
  numbers: NumberFigures
  polls: PollFigures
  patches: number
  /** Longest takeover by what caused it, in milliseconds. */
  takeoverMs: Record<string, number>
}

/** What the proof is drawn from, beside the logs. */
export interface Testimony {
  /** When the upstream began to count, in milliseconds since the epoch. */
  startedAt: number
  journal: Journal
  newest(source: Source): number
  injected: readonly Injected[]
  /** When the first of the logs was read: what was answered until then must be in it. */
  logsReadAt: number
}

export function emptyProof(): Proof {
  const numbers = { events: 0, duplicates: 0, gaps: 0, declared: 0, undeclared: 0 }
  return { faults: [], stored: 0, numbers, polls: { ...NO_POLLS }, patches: 0, takeoverMs: {} }
}

/** Proves one stream's log, and adds its figures. */
export function prove(
  proof: Proof,
  { source }: Followed,
  log: readonly LoggedEntry[],
  seen: Testimony,
): void {
  proof.stored += log.length
  proof.faults.push(...checkOrder(source.name, log))
  if (source.behavior === 'silent') return
  proveDocument(proof, source, log, seen)
  if (isPolled(source)) provePolls(proof, source, log, seen)
  else proveNumbers(proof, source, log, seen)
  for (const [cause, ms] of takeovers(log, seen.injected)) {
    proof.takeoverMs[cause] = Math.max(proof.takeoverMs[cause] ?? 0, ms)
  }
}

function proveDocument(proof: Proof, source: Source, log: readonly LoggedEntry[], seen: Testimony): void {
  const { faults, rebuilt, document } = checkDocuments(source, log)
  proof.faults.push(...faults)
  proof.patches += rebuilt
  const newest = seen.newest(source)
  if (document !== undefined && !Bun.deepEquals(document, documentAt(source.name, newest))) {
    const { version } = document as { version?: number }
    proof.faults.push(`document: ${source.name} ends at version ${version}, not at ${newest}`)
  }
  if (isPolled(source) && document === undefined) proof.faults.push(`document: ${source.name} has none`)
}

function provePolls(
  { polls, faults }: Proof,
  source: Source,
  log: readonly LoggedEntry[],
  seen: Testimony,
): void {
  const answers = seen.journal.answers.get(source.index) ?? []
  const { injected, logsReadAt } = seen
  const context = { answers, jumps: jumps(injected), logsReadAt }
  const check = checkPolls(source, log, context)
  faults.push(...check.faults)
  for (const name of Object.keys(polls) as (keyof PollFigures)[]) polls[name] += check.figures[name]
}

function proveNumbers(
  { numbers, faults }: Proof,
  source: Source,
  log: readonly LoggedEntry[],
  { journal, injected, startedAt, newest }: Testimony,
): void {
  const sent = journal.sent.get(source.index)
  if (sent === undefined) {
    faults.push(`driver: ${source.name} sent nothing`)
    return
  }
  const check = new NumberCheck(source, {
    startedAt,
    newest: newest(source),
    sent,
    jumps: jumps(injected),
  })
  for (const entry of log) check.entry(entry)
  check.end()
  faults.push(...check.faults)
  for (const name of Object.keys(numbers) as (keyof NumberFigures)[]) numbers[name] += check.figures[name]
}

import { documentAt } from '../../src/sim/service/numbers.ts'
import type { LoggedEntry } from '../support/weir.ts'
import { checkDocuments, checkOrder } from './check-log.ts'
import { type Freeze, NumberCheck, type NumberFigures } from './check-numbers.ts'
import type { Source } from './content.ts'
import { freezes, type Injected, takeovers } from './takeover.ts'
import type { Sent } from './upstream.ts'

/** A stream of Weir's, with the source that it follows. */
export interface Followed {
  id: string
  source: Source
}

export interface Proof {
  faults: string[]
  stored: number
  numbers: NumberFigures
  patches: number
  /** Longest takeover by what caused it, in milliseconds. */
  takeoverMs: Record<string, number>
}

/** What the proof is drawn from, beside the logs. */
export interface Testimony {
  sent: ReadonlyMap<number, Sent>
  newest: number
  injected: readonly Injected[]
}

export function emptyProof(): Proof {
  const numbers = { events: 0, duplicates: 0, gaps: 0, declared: 0, undeclared: 0 }
  return { faults: [], stored: 0, numbers, patches: 0, takeoverMs: {} }
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
  if (source.behaviour === 'silent') return
  const { faults, rebuilt, document } = checkDocuments(source, log)
  proof.faults.push(...faults)
  proof.patches += rebuilt
  if (document !== undefined && !Bun.deepEquals(document, documentAt(source.name, seen.newest))) {
    const { version } = document as { version?: number }
    proof.faults.push(`document: ${source.name} ends at version ${version}, not at ${seen.newest}`)
  }
  if (source.behaviour === 'polled') {
    if (document === undefined) proof.faults.push(`document: ${source.name} has none`)
    return
  }
  proveNumbers(proof, source, log, seen.sent.get(source.index) as Sent, freezes(seen.injected))
  for (const [cause, ms] of takeovers(log, seen.injected)) {
    proof.takeoverMs[cause] = Math.max(proof.takeoverMs[cause] ?? 0, ms)
  }
}

function proveNumbers(
  { numbers, faults }: Proof,
  source: Source,
  log: readonly LoggedEntry[],
  sent: Sent,
  frozen: readonly Freeze[],
): void {
  const check = new NumberCheck(source, sent, frozen)
  for (const entry of log) check.entry(entry)
  check.end()
  faults.push(...check.faults)
  for (const name of Object.keys(numbers) as (keyof NumberFigures)[]) numbers[name] += check.figures[name]
}

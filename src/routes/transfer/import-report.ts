import type { LineOutcome, OUTCOMES } from '../../transfer/item.ts'
import { problemOf } from '../http/problem-of.ts'
import type { RunningImport } from './transfer.ts'

export const NDJSON = 'application/x-ndjson'
/** Maximum size of a report's lines, in characters of JSON; outcomes beyond it are only counted. */
const MAX_REPORT_CHARS = 67_108_864

export interface ProgressOptions {
  warn(message: string, error?: unknown): void
  /** Called when the import has ended. */
  done(): void
}

export interface Totals extends Record<(typeof OUTCOMES)[number], number> {
  lines: number
}

/** Collects the lines to report during an import, up to a bound. */
export class Report {
  readonly totals: Totals = { lines: 0, created: 0, unchanged: 0, updated: 0, skipped: 0, failed: 0 }
  #left = MAX_REPORT_CHARS
  /** Whether some lines were counted but not reported. */
  isCut = false

  /** Counts outcomes. @returns those that fit into the report, each as JSON */
  add(outcomes: readonly LineOutcome[]): string[] {
    this.totals.lines += outcomes.length
    for (const { outcome } of outcomes) this.totals[outcome]++
    return outcomes.flatMap((outcome) => {
      const json = this.isCut ? '' : JSON.stringify(outcome)
      this.#left -= json.length
      this.isCut ||= this.#left < 0
      return this.isCut ? [] : [json]
    })
  }

  /** The totals at the end of the report. */
  end(dryRun: boolean) {
    return { dryRun, totals: this.totals, ...(this.isCut && { isCut: true }) }
  }
}

/** The whole report; if the client disconnects, the import stops after the current batch. */
export async function reportOf({ dryRun, outcomes }: RunningImport, signal: AbortSignal): Promise<Response> {
  const report = new Report()
  const parts: Uint8Array<ArrayBuffer>[] = []
  const utf8 = new TextEncoder()
  let isFirst = true
  for await (const batch of outcomes) {
    const lines = report.add(batch)
    if (lines.length > 0) parts.push(utf8.encode((isFirst ? '' : ',') + lines.join(',')))
    isFirst &&= lines.length === 0
    if (signal.aborted) break
  }
  const begin = utf8.encode(`${JSON.stringify(report.end(dryRun)).slice(0, -1)},"lines":[`)
  const body = new Blob([begin, ...parts, utf8.encode(']}')])
  return new Response(body, { headers: { 'Content-Type': 'application/json' } })
}

/**
 * The report as the import progresses: one line for each outcome, then the totals. The import doesn't wait for the
 * reader, so up to a whole report may be buffered.
 */
export function progressOf({ dryRun, outcomes }: RunningImport, { warn, done }: ProgressOptions): Response {
  const utf8 = new TextEncoder()
  const report = new Report()
  let isRead = true
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const say = (lines: readonly string[]) => {
        if (isRead && lines.length > 0)
          controller.enqueue(utf8.encode(lines.map((line) => `${line}\n`).join('')))
      }
      void run(say).finally(() => {
        done()
        if (isRead) controller.close()
      })
    },
    cancel() {
      isRead = false
    },
  })
  return new Response(body, { headers: { 'Content-Type': NDJSON, 'X-Accel-Buffering': 'no' } })

  async function run(say: (lines: readonly string[]) => void): Promise<void> {
    try {
      for await (const batch of outcomes) {
        say(report.add(batch))
        if (!isRead) return
      }
      say([JSON.stringify(report.end(dryRun))])
    } catch (error) {
      const { code, detail } = problemOf(error, 'The import failed', warn)
      say([JSON.stringify({ ...report.end(dryRun), problem: { code, detail } })])
    }
  }
}

/** The part of a report that a page shows: the first lines, failed ones first, skipped ones last. */
export async function shownOf({ dryRun, outcomes }: RunningImport, signal: AbortSignal, most: number) {
  const report = new Report()
  const [failed, skipped, others]: [LineOutcome[], LineOutcome[], LineOutcome[]] = [[], [], []]
  const lists: Partial<Record<LineOutcome['outcome'], LineOutcome[]>> = { failed, skipped }
  for await (const batch of outcomes) {
    report.add(batch)
    for (const outcome of batch) {
      const list = lists[outcome.outcome] ?? others
      if (list.length < most) list.push(outcome)
    }
    if (signal.aborted) break
  }
  return { ...report.end(dryRun), lines: [...failed, ...others, ...skipped].slice(0, most) }
}

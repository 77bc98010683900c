import { causeOf, Problem } from '../../errors.ts'
import type { OUTCOMES, Outcome } from '../../transfer/item.ts'
import type { Running } from './transfer.ts'

export const NDJSON = 'application/x-ndjson'
/** Lines of a report, in characters of JSON; what became of further ones is only counted. */
const MAX_REPORT_CHARS = 67_108_864

export interface ProgressOptions {
  warn(message: string, error: unknown): void
  /** Called once nothing is imported any more. */
  done(): void
}

export interface Totals extends Record<(typeof OUTCOMES)[number], number> {
  lines: number
}

/** What is told of an import while it goes on, within a bound. */
export class Report {
  readonly totals: Totals = { lines: 0, created: 0, unchanged: 0, updated: 0, failed: 0 }
  #left = MAX_REPORT_CHARS
  /** Whether there are lines that are counted, and not told. */
  isCut = false

  /** Counts outcomes. @returns those that there is room to tell, each as JSON */
  add(outcomes: readonly Outcome[]): string[] {
    this.totals.lines += outcomes.length
    for (const { outcome } of outcomes) this.totals[outcome]++
    return outcomes.flatMap((outcome) => {
      const json = this.isCut ? '' : JSON.stringify(outcome)
      this.#left -= json.length
      this.isCut ||= this.#left < 0
      return this.isCut ? [] : [json]
    })
  }

  /** What is said at the end. */
  end(dryRun: boolean) {
    return { dryRun, totals: this.totals, ...(this.isCut && { isCut: true }) }
  }
}

/** The whole report; an import whose caller has gone stops after the batch it is at. */
export async function reportOf({ dryRun, outcomes }: Running, signal: AbortSignal): Promise<Response> {
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
 * The report as it comes about, a line each, with the totals as the last. The import doesn't wait for its reader: what
 * isn't read yet is at most a whole report.
 */
export function progressOf({ dryRun, outcomes }: Running, { warn, done }: ProgressOptions): Response {
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
      warn(`The import broke off: ${causeOf(error)}`, error)
      const { code, detail } = new Problem('internal', 'Something went wrong inside Weir; its log says what.')
      say([JSON.stringify({ ...report.end(dryRun), problem: { code, detail } })])
    }
  }
}

/** What a page shows of a report: the first lines, those that failed in front. */
export async function shownOf({ dryRun, outcomes }: Running, signal: AbortSignal, most: number) {
  const report = new Report()
  const [failed, others]: [Outcome[], Outcome[]] = [[], []]
  for await (const batch of outcomes) {
    report.add(batch)
    for (const outcome of batch) {
      const list = outcome.outcome === 'failed' ? failed : others
      if (list.length < most) list.push(outcome)
    }
    if (signal.aborted) break
  }
  return { ...report.end(dryRun), lines: [...failed, ...others].slice(0, most) }
}

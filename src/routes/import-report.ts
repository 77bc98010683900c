import { causeOf, Problem } from '../errors.ts'
import { OUTCOMES, type Outcome } from '../transfer/item.ts'

export const NDJSON = 'application/x-ndjson'

export interface ProgressOptions {
  dryRun: boolean
  warn(message: string, error: unknown): void
  /** Called once nothing is imported any more. */
  done(): void
}

interface Totals extends Record<(typeof OUTCOMES)[number], number> {
  lines: number
}

function noTotals(): Totals {
  return { lines: 0, created: 0, unchanged: 0, updated: 0, failed: 0 }
}

function count(totals: Totals, outcomes: readonly Outcome[]): void {
  totals.lines += outcomes.length
  for (const { outcome } of outcomes) totals[outcome]++
}

/** The whole report; an import whose caller has gone stops after the batch it is at. */
export async function reportOf(
  batches: AsyncGenerator<Outcome[]>,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<Response> {
  const totals = noTotals()
  const lines: Outcome[] = []
  for await (const outcomes of batches) {
    count(totals, outcomes)
    for (const outcome of outcomes) lines.push(outcome)
    if (signal.aborted) break
  }
  return Response.json({ dryRun, totals, lines })
}

/**
 * The report as it comes about, a line each, with the totals as the last. The import doesn't wait for its reader: what
 * isn't read yet is at most the report of `MAX_LINES`.
 */
export function progressOf(
  batches: AsyncGenerator<Outcome[]>,
  { dryRun, warn, done }: ProgressOptions,
): Response {
  const utf8 = new TextEncoder()
  const totals = noTotals()
  let isRead = true
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const say = (values: readonly unknown[]) => {
        if (isRead)
          controller.enqueue(utf8.encode(values.map((value) => `${JSON.stringify(value)}\n`).join('')))
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

  async function run(say: (values: readonly unknown[]) => void): Promise<void> {
    try {
      for await (const outcomes of batches) {
        count(totals, outcomes)
        say(outcomes)
        if (!isRead) return
      }
      say([{ dryRun, totals }])
    } catch (error) {
      warn(`The import broke off: ${causeOf(error)}`, error)
      const { code, detail } = new Problem('internal', 'Something went wrong inside Weir; its log says what.')
      say([{ dryRun, totals, problem: { code, detail } }])
    }
  }
}

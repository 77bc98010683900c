// Numbers of calls in words, for the panel.
import type { RecentCalls } from '../graph.ts'
import type { ViewCall } from '../view.ts'

/** Milliseconds for people, to two or three digits. */
export function durationWords(ms: number): string {
  if (ms < 1) return '< 1 ms'
  if (ms < 1_000) return `${Math.round(ms)} ms`
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`
}

export function shareWords(share: number): string {
  const percents = share * 100
  return `${percents > 0 && percents < 10 ? percents.toFixed(1) : Math.round(percents)} %`
}

/** Calls per minute. */
export function rateWords(rate: number): string {
  return `${rate >= 10 || rate === 0 ? Math.round(rate) : rate.toFixed(1)}/min`
}

/** Rate and error share in one line, or that there were none. */
export function recentWords(recent: RecentCalls | undefined): string {
  if (recent === undefined || recent.rate === 0) return 'idle'
  const errors = recent.errorShare === 0 ? 'no errors' : `${shareWords(recent.errorShare)} errors`
  return `${rateWords(recent.rate)}, ${errors}`
}

/** p50 and p95; of several calls in one the range of each, for their common one can't be told from them. */
export function latencyWords(call: ViewCall): string {
  const parts = call.parts ?? [call]
  const [p50, p95] = (['p50Ms', 'p95Ms'] as const).map((name) =>
    rangeWords(parts.flatMap(({ recent }) => recent?.[name] ?? [])),
  )
  if (p50 === undefined && p95 === undefined) return 'not measured'
  return `p50 ${p50 ?? '–'}, p95 ${p95 ?? '–'}`
}

function rangeWords(values: readonly number[]): string | undefined {
  if (values.length === 0) return undefined
  const [least, most] = [durationWords(Math.min(...values)), durationWords(Math.max(...values))]
  return least === most ? least : `${least} to ${most}`
}

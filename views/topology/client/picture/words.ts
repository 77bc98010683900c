// Texts, numbers and strokes of services and calls in the picture: pure functions of the graph.
import { type Call, type DrawnService, FIRST_ERROR_STATUS } from '../graph.ts'
import { isIdle } from '../view.ts'
import { kindWords } from '../words.ts'

/** From this share of errors, an edge is drawn as failing rather than flawed. */
const FAILING_SHARE = 0.05
/** Widths of edges in pixels: added to the minimum for 1, 10, 100 … calls per minute. */
const LEAST_WIDTH = 1.5
const WIDTH_PER_DECADE = 1.6
const MOST_WIDTH = 8

/** `fine` without errors, `flawed` with some, `failing` with many or if the last call failed. */
export type Health = 'fine' | 'flawed' | 'failing'

export function healthOf(call: Call): Health {
  const share = call.recent?.errorShare ?? 0
  if (share >= FAILING_SHARE || hasFailed(call)) return 'failing'
  return share > 0 ? 'flawed' : 'fine'
}

/** Its last call. */
export function hasFailed({ lastStatus = 0 }: Call): boolean {
  return lastStatus >= FIRST_ERROR_STATUS
}

/** Declared, and not one call was seen. */
export function isUnseen({ count, isDeclared }: Call): boolean {
  return isDeclared === true && count === 0
}

/** Width of an edge, in pixels. */
export function widthOf({ recent }: Call): number {
  const width = LEAST_WIDTH + WIDTH_PER_DECADE * Math.log10(1 + (recent?.rate ?? 0))
  return Math.round(Math.min(width, MOST_WIDTH) * 10) / 10
}

/** Rate and errors, then latency, each short enough for an edge; none for an idle one. */
export function numbersOf(call: Call): string[] {
  const { recent } = call
  if (recent === undefined || isIdle(call)) return []
  const errors = recent.errorShare > 0 ? ` · ${percent(recent.errorShare)}` : ''
  const lines = [`${rate(recent.rate)}${errors}`]
  const { p50Ms, p95Ms } = recent
  if (p50Ms !== undefined && p95Ms !== undefined) lines.push(durations(p50Ms, p95Ms))
  return lines
}

/** An edge in a sentence. */
export function callWords(call: Call, nameOf: (id: string) => string): string {
  if (isUnseen(call)) return `${nameOf(call.from)} calls ${nameOf(call.to)}: declared, never seen`
  const words = [`${nameOf(call.from)} calls ${nameOf(call.to)}: ${call.count} calls, ${call.errors} failed`]
  if (isIdle(call) || call.recent === undefined) return words.join('')
  words.push(`last 5 min: ${rate(call.recent.rate)}, ${percent(call.recent.errorShare)} errors`)
  const { p50Ms, p95Ms } = call.recent
  if (p50Ms !== undefined && p95Ms !== undefined) words.push(`p50/p95 ${durations(p50Ms, p95Ms)}`)
  return words.join('; ')
}

/** A node in a sentence. */
export function serviceWords({ name, kind, color, status, reason }: DrawnService): string {
  const what = kind === 'service' ? '' : `, ${kindWords(kind)}`
  const judged = status === undefined ? '' : `, ${status}${reason === undefined ? '' : `: ${reason}`}`
  return `${name}${what}: ${color}${judged}`
}

function rate(perMinute: number): string {
  if (perMinute >= 9_950) return `${Math.round(perMinute / 1000)}k/min`
  if (perMinute >= 995) return `${(perMinute / 1000).toFixed(1)}k/min`
  return `${perMinute < 9.5 ? shorten(perMinute) : Math.round(perMinute)}/min`
}

function percent(share: number): string {
  const value = share * 100
  return `${value < 9.5 ? shorten(value) : Math.round(value)}%`
}

/** A non-zero value is never shown as zero. */
function shorten(value: number): string {
  return value > 0 && value < 0.1 ? '<0.1' : String(Number(value.toFixed(1)))
}

function durations(p50Ms: number, p95Ms: number): string {
  if (p95Ms < 1000) return `${Math.round(p50Ms)}/${Math.round(p95Ms)} ms`
  return `${shorten(p50Ms / 1000)}/${shorten(p95Ms / 1000)} s`
}

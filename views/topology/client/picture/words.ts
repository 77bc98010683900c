// What the picture says of services and calls: pure functions from the graph to words, numbers and strokes.
import { type Call, FIRST_ERROR_STATUS, type Service } from '../graph.ts'
import { kindWords } from '../words.ts'

/** From this share of failed calls on, an edge is drawn as failing rather than as flawed. */
const FAILING_SHARE = 0.05
/** Widths of edges in pixels: what 1, 10, 100 … calls a minute add to the least. */
const LEAST_WIDTH = 1.5
const WIDTH_PER_DECADE = 1.6
const MOST_WIDTH = 8

/** `fine` without failures, `flawed` with some, `failing` with many, or when the last one failed. */
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

export function isIdle({ recent }: Call): boolean {
  return recent === undefined || recent.rate === 0
}

/** Of an edge's line, in pixels. */
export function widthOf({ recent }: Call): number {
  const width = LEAST_WIDTH + WIDTH_PER_DECADE * Math.log10(1 + (recent?.rate ?? 0))
  return Math.round(Math.min(width, MOST_WIDTH) * 10) / 10
}

/** How often and how well, and how fast, each short enough for an edge; none for an idle one. */
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
  const words = [`${nameOf(call.from)} calls ${nameOf(call.to)}: ${call.count} calls, ${call.errors} failed`]
  if (isIdle(call) || call.recent === undefined) return words.join('')
  words.push(`${rate(call.recent.rate)} of late, ${percent(call.recent.errorShare)} failed`)
  const { p50Ms, p95Ms } = call.recent
  if (p50Ms !== undefined && p95Ms !== undefined) words.push(`p50/p95 ${durations(p50Ms, p95Ms)}`)
  return words.join('; ')
}

/** A node in a sentence. */
export function serviceWords({ name, kind, colour, verdict, reason }: Service): string {
  const what = kind === 'service' ? '' : `, ${kindWords(kind)}`
  const judged = verdict === undefined ? '' : `, ${verdict}${reason === undefined ? '' : `: ${reason}`}`
  return `${name}${what}: ${colour}${judged}`
}

function rate(perMinute: number): string {
  if (perMinute >= 9_950) return `${Math.round(perMinute / 1000)}k/min`
  if (perMinute >= 995) return `${(perMinute / 1000).toFixed(1)}k/min`
  return `${perMinute < 9.5 ? shorten(perMinute) : Math.round(perMinute)}/min`
}

function percent(share: number): string {
  const value = share * 100
  return `${value < 9.5 ? shorten(value) : Math.round(value)} %`
}

/** A value that isn't zero never reads as zero. */
function shorten(value: number): string {
  return value > 0 && value < 0.1 ? '<0.1' : String(Number(value.toFixed(1)))
}

function durations(p50Ms: number, p95Ms: number): string {
  if (p95Ms < 1000) return `${Math.round(p50Ms)}/${Math.round(p95Ms)} ms`
  return `${shorten(p50Ms / 1000)}/${shorten(p95Ms / 1000)} s`
}

import { DAY_MS, HOUR_MS, parseInstant } from '../core/time.ts'

const UNITS_MS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: HOUR_MS,
  d: DAY_MS,
  w: 604_800_000,
}

/** `1h30m`, `45s`, `500ms` in milliseconds; `undefined` for anything else. A number requires a unit. */
export function durationMs(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|[smhdw]))+$/.test(text)) return undefined
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)
  return Math.round(
    [...parts].reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS_MS[unit ?? ''] ?? 0), 0),
  )
}

/** A time in ISO 8601 with its zone, or a duration before now. */
export function instant(text: string, now: number): Date | undefined {
  const ago = durationMs(text)
  if (ago === undefined) return parseInstant(text)
  const date = new Date(now - ago)
  return Number.isNaN(date.getTime()) ? undefined : date
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** Bytes with a unit, to three digits, by powers of 1,000. */
export function bytes(count: number): string {
  let value = count
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1_000
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toPrecision(value < 10 ? 2 : 3)} ${UNITS[unit]}`
}

/** A rate for people: a whole number from ten, else one decimal. */
export function rate(value: number): string {
  return value >= 10 || value === 0 ? Math.round(value).toLocaleString('en') : value.toFixed(1)
}

/** An instant to the minute, in UTC, such as `2026-01-31 12:00`. */
export function utcMinute(at: Date): string {
  return at.toISOString().slice(0, 16).replace('T', ' ')
}

/** A share as a percentage; a dash for null. */
export function percent(share: number | null): string {
  if (share === null) return '–'
  const value = share * 100
  return `${value > 0 && value < 10 ? value.toFixed(1) : Math.round(value)}%`
}

/** A saved share as a percentage with one decimal, never rounded up to 100%; a dash for null. */
export function savedPercent(share: number | null): string {
  if (share === null) return '–'
  const tenths = Math.abs(share) * 1_000
  const rounded = Math.abs(share) < 1 ? Math.min(Math.round(tenths), 999) : Math.round(tenths)
  return `${share < 0 && rounded > 0 ? '−' : ''}${(rounded / 10).toFixed(1)}%`
}

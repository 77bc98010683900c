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

/** A rate for people: whole from ten on, one digit below. */
export function rate(value: number): string {
  return value >= 10 || value === 0 ? String(Math.round(value)) : value.toFixed(1)
}

/** A share as percents; a dash where there is nothing to take it of. */
export function percent(share: number | null): string {
  if (share === null) return '–'
  const value = share * 100
  return `${value > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} %`
}

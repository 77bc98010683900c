import { isObject } from '../service/body.ts'

/** The most of a value that a sentence shows. */
const MAX_SHOWN_CHARS = 60
/** Typing errors that a suggestion forgives. */
const MAX_DISTANCE = 2

/** Something that is wrong, and where: `services[3].latencyMs.p50`, or empty for the whole. */
export interface Fault {
  path: string
  sentence: string
}

/** Reads a value, or adds to the faults and gives `undefined`. */
export type Read<T> = (value: unknown, path: string, faults: Fault[]) => T | undefined

type Reads<T> = { [Field in keyof T]-?: Read<T[Field]> }

/** What is there of the fields, each read; unknown ones are faults, with the known one they look like. */
export function object<T>(reads: Reads<T>, required: readonly (keyof T & string)[] = []): Read<Partial<T>> {
  const known = Object.keys(reads) as (keyof T & string)[]
  return (value, path, faults) => {
    if (!isObject(value))
      return wrong(faults, path, `expected fields (${known.join(', ')}), got ${shown(value)}`)
    for (const field of Object.keys(value)) {
      if (!known.some((name) => name === field))
        faults.push({ path: join(path, field), sentence: unknown(field, known) })
    }
    const result: Partial<T> = {}
    for (const field of known) {
      if (Object.hasOwn(value, field)) {
        const read = reads[field](value[field], join(path, field), faults)
        if (read !== undefined) result[field] = read
      } else if (required.includes(field)) {
        faults.push({ path: join(path, field), sentence: 'is missing' })
      }
    }
    return result
  }
}

export function list<T>(read: Read<T>, { min = 0, max }: { min?: number; max: number }): Read<T[]> {
  return (value, path, faults) => {
    if (!Array.isArray(value)) return wrong(faults, path, `expected a list, got ${shown(value)}`)
    if (value.length < min || value.length > max) {
      return wrong(faults, path, `expected ${min} to ${max} items, got ${value.length}`)
    }
    return value
      .map((item, position) => read(item, `${path}[${position}]`, faults))
      .filter((item) => item !== undefined)
  }
}

export function number({
  min,
  max,
  whole = false,
}: {
  min: number
  max: number
  whole?: boolean
}): Read<number> {
  const what = `${whole ? 'a whole number' : 'a number'} from ${min} to ${max}`
  return (value, path, faults) => {
    const fits =
      typeof value === 'number' && value >= min && value <= max && (!whole || Number.isInteger(value))
    return fits ? value : wrong(faults, path, `expected ${what}, got ${shown(value)}`)
  }
}

export const truth: Read<boolean> = (value, path, faults) =>
  typeof value === 'boolean' ? value : wrong(faults, path, `expected true or false, got ${shown(value)}`)

export function oneOf<T extends string>(options: readonly T[]): Read<T> {
  return (value, path, faults) => {
    const option = options.find((each) => each === value)
    if (option !== undefined) return option
    const hint = typeof value === 'string' ? suggestion(value, options) : ''
    return wrong(faults, path, `expected ${options.join(', ')}, got ${shown(value)}${hint}`)
  }
}

/** A line of text that people read and programs name things by. */
export function text(what: string, maxChars: number): Read<string> {
  return (value, path, faults) => {
    const fits =
      typeof value === 'string' &&
      value.length <= maxChars &&
      value.trim() === value &&
      /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+$/u.test(value)
    if (fits) return value
    const quotes = ['number', 'boolean'].includes(typeof value)
      ? '; put it in quotes if that is what you mean'
      : ''
    const rule = `${what} of 1 to ${maxChars} characters on one line, without spaces around it`
    return wrong(faults, path, `expected ${rule}, got ${shown(value)}${quotes}`)
  }
}

export function wrong(faults: Fault[], path: string, sentence: string): undefined {
  faults.push({ path, sentence })
}

export function shown(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (isObject(value)) return 'fields'
  const json = JSON.stringify(value)
  return json.length > MAX_SHOWN_CHARS ? `${json.slice(0, MAX_SHOWN_CHARS)}…` : json
}

/** `; did you mean "x"?` with the known name that is least unlike, when one is like it at all. */
export function suggestion(name: string, known: readonly string[]): string {
  const close = known
    .map((candidate) => ({ candidate, distance: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter((each) => each.distance <= MAX_DISTANCE && each.distance < each.candidate.length)
    .sort((a, b) => a.distance - b.distance)[0]
  return close === undefined ? '' : `; did you mean "${close.candidate}"?`
}

function unknown(field: string, known: readonly string[]): string {
  const hint = suggestion(field, known)
  return `there is no such field${hint === '' ? `; there is ${known.join(', ')}` : hint}`
}

function join(path: string, field: string): string {
  const name = field.slice(0, MAX_SHOWN_CHARS)
  return path === '' ? name : `${path}.${name}`
}

/** How many letters have to be put in, taken out or changed; more than enough once it is past the bound. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > MAX_DISTANCE) return MAX_DISTANCE + 1
  let row = Array.from({ length: b.length + 1 }, (_, position) => position)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

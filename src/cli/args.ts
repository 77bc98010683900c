import { parseArgs } from 'node:util'
import { INSTANT_FORMS } from '../core/time.ts'
import { type Command, type Given, type Io, type Option, UsageError } from './command.ts'
import { instant } from './durations.ts'
import { nearest } from './nearest.ts'

/** Options of every command. */
export const COMMON: Record<string, Option> = {
  url: {
    value: 'URL',
    help: 'URL of Weir (default: WEIR_URL, the one that uses DATA_DIR, or http://localhost:3000)',
  },
  json: { help: 'print JSON, for scripts' },
  help: { short: 'h', help: 'show this help' },
}

/**
 * Parses the arguments of a command.
 * @throws UsageError listing every problem
 */
export function readArguments(name: string, command: Command, argv: readonly string[]): Given {
  const options = { ...COMMON, ...command.options }
  const problems: string[] = []
  const given = readTokens(options, argv, problems)
  const { length } = given.args
  if (!given.has('help')) {
    if (length < command.min) problems.push(`expected ${command.takes}`)
    const extra = given.args[command.max]
    if (extra !== undefined) problems.push(`unexpected argument "${extra}"`)
  }
  if (problems.length > 0) throw new UsageError(problems, name)
  return given
}

/** Not strict, because strict parsing stops at the first problem. */
function readTokens(options: Record<string, Option>, argv: readonly string[], problems: string[]): Given {
  const specs = Object.entries(options).map(([name, { short, value }]) => {
    const type: 'string' | 'boolean' = value === undefined ? 'boolean' : 'string'
    return [name, { type, multiple: true, ...(short && { short }) }] as const
  })
  const parsed = parseArgs({
    args: [...argv],
    options: Object.fromEntries(specs),
    strict: false,
    tokens: true,
    allowPositionals: true,
  })
  const args: string[] = []
  const values = new Map<string, string[]>()
  for (const token of parsed.tokens) {
    if (token.kind === 'positional') args.push(token.value)
    if (token.kind !== 'option') continue
    const { name, rawName, value, inlineValue } = token
    const option = Object.hasOwn(options, name) ? options[name] : undefined
    const problem =
      option === undefined ? unknown(rawName, options) : wrong(rawName, option, value, inlineValue)
    if (problem !== undefined) problems.push(problem)
    else values.set(name, [...(values.get(name) ?? []), value ?? ''])
  }
  return {
    args,
    text: (name) => values.get(name)?.at(-1),
    texts: (name) => values.get(name) ?? [],
    has: (name) => values.has(name),
  }
}

function unknown(rawName: string, options: Record<string, Option>): string {
  const meant = nearest(rawName.replace(/^-+/, ''), Object.keys(options))
  return `${rawName}: unknown option${meant ? `; did you mean --${meant}?` : ''}`
}

function wrong(
  rawName: string,
  { value: wanted, choices }: Option,
  value: string | undefined,
  isInline: boolean | undefined,
): string | undefined {
  if (wanted === undefined)
    return value === undefined ? undefined : `${rawName}: takes no value, got "${value}"`
  // In "--tag --json", a forgotten value is more likely than a tag named "--json".
  if (value === undefined || (!isInline && value.startsWith('-'))) {
    return `${rawName}: expected ${wanted}${value ? `, got "${value}"; write ${rawName}=${value} if you mean that value` : ''}`
  }
  if (choices === undefined || choices.includes(value)) return undefined
  const meant = nearest(value, choices)
  return `${rawName}: expected ${choices.join(', ')}, got "${value}"${meant ? `; did you mean ${meant}?` : ''}`
}

/** A whole number given as an option. @throws UsageError */
export function integer(given: Given, name: string, min: number, max: number): number | undefined {
  const text = given.text(name)
  if (text === undefined) return undefined
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  throw new UsageError([`--${name}: expected a whole number from ${min} to ${max}, got "${text}"`])
}

/** The option `since` as a query's `from`. @throws UsageError */
export function since(given: Given, { now }: Pick<Io, 'now'>): { from?: string } {
  const from = time(given, now(), 'since')
  return from === undefined ? {} : { from }
}

/** A time, or a duration ago, given as an option: in ISO 8601. @throws UsageError */
export function time(given: Given, now: number, name: string): string | undefined {
  const text = given.text(name)
  if (text === undefined) return undefined
  const at = instant(text, now)
  if (at !== undefined) return at.toISOString()
  throw new UsageError([
    `--${name}: expected a duration such as 90m, or a time such as ${INSTANT_FORMS}, got "${text}"`,
  ])
}

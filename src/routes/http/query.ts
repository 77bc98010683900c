import { nulIn } from '../../core/documents/nul.ts'
import { dateOf, holdsNul, integerOf, invalid, oneOf } from './input.ts'
import { type Part, part } from './part.ts'

/** A query parameter: its parsed type, and what a client sends. */
export interface Parameter<Read, Sent = Read> {
  /** @param texts all its non-empty values. @throws Problem `invalid_field` */
  read(name: string, texts: readonly string[]): Read
  readonly documented: Documented
  /** Only a type. */
  readonly sent?: readonly [Sent]
}

export interface Documented {
  description?: string
  required?: boolean
  deprecated?: boolean
  schema: object
}

/** A query, and its documentation. */
export interface Query<P extends Parameters> extends Part<ReadOf<P> & Marked<P>> {
  readonly parameters: P
}

export type Parameters = Readonly<Record<string, Parameter<unknown, unknown>>>
type ReadOf<P> = { -readonly [K in keyof P]: P[K] extends Parameter<infer Read, unknown> ? Read : never }
type SentBy<P> = P extends { readonly sent?: readonly [infer Sent] } ? Sent : never
type Left<P> = { [K in keyof P]: undefined extends SentBy<P[K]> ? K : never }[keyof P]
/** A query as a client writes it: optional parameters may be omitted. */
type SentOf<P> = { -readonly [K in Left<P>]?: SentBy<P[K]> } & {
  -readonly [K in Exclude<keyof P, Left<P>>]: SentBy<P[K]>
}
/** Type-level key under which the client finds the query as it is sent; it doesn't exist at run time. */
declare const SENT: unique symbol
export type Sent = typeof SENT
interface Marked<P> {
  readonly [SENT]?: SentOf<P>
}

/** A query of these parameters; unknown ones are rejected rather than ignored. */
export function parameters<P extends Parameters>(declared: P): Query<P> {
  return { ...part(({ url }) => readQuery(url, declared)), parameters: declared }
}

/** Query parameters in OpenAPI. */
export function documentedQuery(declared: Parameters) {
  return Object.entries(declared).map(([name, { documented }]) => ({
    name,
    in: 'query' as const,
    ...documented,
  }))
}

/** Reads the query of a URL. @throws Problem `invalid_field` */
export function readQuery<P extends Parameters>(url: string, declared: P): ReadOf<P> {
  const given = new Map<string, string[]>(Object.keys(declared).map((name) => [name, []]))
  for (const [name, text] of new URL(url).searchParams) {
    const texts = given.get(name)
    if (texts === undefined) throw invalid(name, `Unknown parameter: ${name.slice(0, 64)}.`)
    if (nulIn(text) !== undefined) throw holdsNul(name)
    if (text !== '') texts.push(text)
  }
  const read = Object.entries(declared).map(([name, each]) => [name, each.read(name, given.get(name) ?? [])])
  return Object.fromEntries(read) as ReadOf<P>
}

/** Text; the last one if it is repeated. */
export function text(description?: string): Parameter<string | undefined> {
  return single({ description, schema: { type: 'string' } }, (_, text) => text)
}

/** A parameter that may be repeated. @param read reads each. @throws Problem `invalid_field` */
export function each<T>(
  description: string,
  read: (name: string, text: string) => T,
): Parameter<readonly T[], string | readonly string[] | undefined> {
  const documented = { description, schema: { type: 'string' } }
  return { documented, read: (name, texts) => texts.map((text) => read(name, text)) }
}

/** A whole number. */
export function whole(
  { min, max }: { min: number; max: number },
  description?: string,
): Parameter<number | undefined> {
  const maximum = max === Number.MAX_SAFE_INTEGER ? {} : { maximum: max }
  const schema = { type: 'integer', minimum: min, ...maximum }
  return single({ description, schema }, (name, text) => integerOf(name, text, min, max))
}

/** A time in ISO 8601. */
export function instant(): Parameter<Date | undefined, string | undefined> {
  const schema = { type: 'string', format: 'date-time' }
  return single({ description: 'ISO 8601', schema }, dateOf)
}

/** One of these words. */
export function choice<T extends string>(
  values: readonly T[],
  description?: string,
): Parameter<T | undefined> {
  const schema = { type: 'string', enum: [...values] }
  return single({ description, schema }, (name, text) => oneOf(name, text, values))
}

/** Some of these words, separated by commas. */
export function choices<T extends string>(
  values: readonly T[],
): Parameter<readonly T[] | undefined, string | undefined> {
  const description = `Comma-separated: ${values.join(', ')}`
  return single({ description, schema: { type: 'string' } }, (name, text) =>
    text.split(',').map((one) => oneOf(name, one.trim(), values) as T),
  )
}

/** True or false. */
export function flag(description?: string): Parameter<boolean | undefined, 'true' | 'false' | undefined> {
  const words = choice(['true', 'false'], description)
  return single(words.documented, (name, text) => words.read(name, [text]) === 'true')
}

/** The same parameter, also with former names of its values. */
export function renamed<Read, Sent>(
  { read, documented }: Parameter<Read, Sent>,
  names: Readonly<Record<string, string>>,
): Parameter<Read, Sent> {
  return {
    documented,
    read: (name, texts) =>
      read(
        name,
        texts.map((text) => names[text] ?? text),
      ),
  }
}

/** The same parameter, marked as deprecated. */
export function deprecated<Read, Sent>({ read, documented }: Parameter<Read, Sent>): Parameter<Read, Sent> {
  return { read, documented: { ...documented, deprecated: true } }
}

/** Text that is parsed. @param read throws Problem `invalid_field` */
export function readAs<T>(
  description: string,
  read: (name: string, text: string) => T,
): Parameter<T | undefined, string | undefined> {
  return single({ description, schema: { type: 'string' } }, read)
}

/** The same parameter with a default. */
export function otherwise<Read, Sent>(
  { read, documented }: Parameter<Read | undefined, Sent>,
  value: NoInfer<Read>,
): Parameter<Read, Sent> {
  const schema = { ...documented.schema, default: value }
  return { documented: { ...documented, schema }, read: (name, texts) => read(name, texts) ?? value }
}

/** The same parameter, but required. */
export function required<Read, Sent>({
  read,
  documented,
}: Parameter<Read | undefined, Sent | undefined>): Parameter<Read, Sent> {
  return {
    documented: { ...documented, required: true },
    read(name, texts) {
      const value = read(name, texts)
      if (value === undefined) throw invalid(name, `\`${name}\` is required.`)
      return value
    },
  }
}

function single<T, Sent = T>(
  { description, schema }: Documented,
  read: (name: string, text: string) => T,
): Parameter<T | undefined, Sent | undefined> {
  return {
    documented: { ...(description !== undefined && { description }), schema },
    read(name, texts) {
      const last = texts.at(-1)
      return last === undefined ? undefined : read(name, last)
    },
  }
}

import { isFields, type JsonObject, valueText } from '../fields.ts'
import type { Refs } from './refs.ts'

/** Nested schemas searched for a value; deeper suggestions aren't found. */
const MAX_SCHEMAS = 100
/** Headers that OpenAPI doesn't allow as parameters. */
const NOT_PARAMETERS = new Set(['accept', 'content-type', 'authorization'])

/** A parameter of an operation, and the value that the document suggests. */
export interface OpenApiParameter {
  name: string
  in: string
  required: boolean
  style: string
  explode: boolean
}

/** The parts of a request that parameters fill in. */
export interface RequestParts {
  path: Map<string, string>
  query: string[]
  headers: Record<string, string>
  cookies: string[]
}

export function parameterOf(refs: Refs, fields: JsonObject): OpenApiParameter {
  const place = refs.text(fields.in, 'The place of a parameter')
  const usual = place === 'query' || place === 'cookie' ? 'form' : 'simple'
  const style = refs.text(fields.style ?? usual, 'The style of a parameter')
  const name = refs.text(fields.name, 'The name of a parameter')
  const isNone = place === 'header' && NOT_PARAMETERS.has(name.toLowerCase())
  return {
    name,
    in: place,
    required: !isNone && (place === 'path' || fields.required === true),
    style,
    explode: typeof fields.explode === 'boolean' ? fields.explode : style === 'form',
  }
}

/**
 * Adds a parameter to a request, in its style.
 * @returns the characters that it takes up; 0 for the path, which may contain it more than once
 * @see https://spec.openapis.org/oas/v3.1.1.html#style-values
 */
export function writeParameter(sent: RequestParts, parameter: OpenApiParameter, value: unknown): number {
  const { name } = parameter
  if (parameter.in === 'path') {
    sent.path.set(name, pathText(parameter, value))
    return 0
  }
  const texts = parameter.in === 'query' ? queryTexts(parameter, value) : [parameterText(parameter, value)]
  if (parameter.in === 'query') sent.query.push(...texts)
  else if (parameter.in === 'header') sent.headers[name] = texts.join('')
  else if (parameter.in === 'cookie') sent.cookies.push(`${name}=${texts.join('')}`)
  return texts.reduce((sum, text) => sum + text.length + 1, name.length)
}

/** In a header or cookie. */
function parameterText(parameter: OpenApiParameter, value: unknown): string {
  if (parameter.in === 'header') return joined(value, ',', parameter.explode, valueText)
  return joined(value, ',', false, encode)
}

/** Percent-encodes a value for a path or query. A lone surrogate has no encoding and becomes U+FFFD. */
export function encode(value: unknown): string {
  return encodeURIComponent(valueText(value).toWellFormed())
}

/** A parameter's example, or its schema's default, example or first choice. */
export function suggested(refs: Refs, fields: JsonObject): unknown {
  const media = refs.first(refs.resolve(fields.content) ?? {})
  if (media !== undefined) {
    const value = suggested(refs, refs.resolve(media) ?? {})
    return value === undefined ? undefined : refs.text(value, 'The example of a parameter')
  }
  const example = refs.first(refs.resolve(fields.examples) ?? {})
  return fields.example ?? refs.resolve(example)?.value ?? schemaValue(refs, fields.schema, new Set())
}

function schemaValue(refs: Refs, value: unknown, seen: Set<JsonObject>): unknown {
  const schema = refs.resolve(value)
  if (schema === undefined || seen.has(schema) || seen.size === MAX_SCHEMAS) return undefined
  seen.add(schema)
  const { examples, enum: choices } = schema
  const own =
    schema.default ??
    schema.example ??
    (Array.isArray(examples) ? examples[0] : undefined) ??
    schema.const ??
    (Array.isArray(choices) ? choices[0] : undefined)
  if (own !== undefined) return own
  for (const parts of [schema.allOf, schema.oneOf, schema.anyOf].filter(Array.isArray)) {
    for (const part of parts) {
      const found = schemaValue(refs, part, seen)
      if (found !== undefined) return found
    }
  }
  const item = schema.type === 'array' ? schemaValue(refs, schema.items, seen) : undefined
  return item === undefined ? undefined : [item]
}

function pathText({ name, style, explode }: OpenApiParameter, value: unknown): string {
  if (style === 'label') return `.${joined(value, explode ? '.' : ',', explode, encode)}`
  if (style !== 'matrix') return joined(value, ',', explode, encode)
  if (explode && Array.isArray(value)) return value.map((each) => `;${encode(name)}=${encode(each)}`).join('')
  if (explode && isFields(value)) return `;${joined(value, ';', true, encode)}`
  return `;${encode(name)}=${joined(value, ',', false, encode)}`
}

function queryTexts({ name, style, explode }: OpenApiParameter, value: unknown): string[] {
  const key = encode(name)
  if (isFields(value)) {
    if (style === 'deepObject') {
      return Object.entries(value).map(([field, each]) => `${key}[${encode(field)}]=${encode(each)}`)
    }
    if (explode) return [joined(value, '&', true, encode)]
  }
  if (Array.isArray(value) && explode) return value.map((each) => `${key}=${encode(each)}`)
  return [`${key}=${joined(value, SEPARATORS[style] ?? ',', false, encode)}`]
}

const SEPARATORS: Record<string, string> = { spaceDelimited: '%20', pipeDelimited: '|', tabDelimited: '%09' }

function joined(
  value: unknown,
  separator: string,
  explode: boolean,
  write: (value: unknown) => string,
): string {
  if (Array.isArray(value)) return value.map(write).join(separator)
  if (!isFields(value)) return write(value)
  const pairs = Object.entries(value).map(([field, each]) => [write(field), write(each)])
  return pairs.map((pair) => pair.join(explode ? '=' : ',')).join(separator)
}

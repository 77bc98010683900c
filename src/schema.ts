import type { Static, TSchema } from '@sinclair/typebox'
import { Errors, type ValueError, ValueErrorType } from '@sinclair/typebox/errors'
import { parsePointer } from './core/documents/pointer.ts'
import { Problem } from './errors.ts'

/** Longest name of a field in a problem, in characters. */
const MAX_FIELD_CHARS = 100
/** Whether a format is known to the library depends on who has registered it there. */
const FORMATS = new Set([ValueErrorType.StringFormat, ValueErrorType.StringFormatUnknown])

export interface CheckOptions {
  /** The field that the value is from: known, so that its own fields are named, too. */
  within?: string
  /** Whether a field is named with its place, such as `services[1].id`. Default: the outermost one. */
  isExact?: boolean
}

/**
 * Checks a value against a schema, without compiling it: that costs more than a check, and start-up time. Formats are
 * ignored: they are for readers, and checked where the text is parsed.
 * @throws Problem `invalid_field`, naming the first invalid field; never the value, which may be a secret
 */
export function checked<S extends TSchema>(
  schema: S,
  value: unknown,
  { within, isExact = false }: CheckOptions = {},
): Static<S> {
  for (const error of Errors(schema, value)) {
    if (FORMATS.has(error.type)) continue
    const path = [...(within === undefined ? [] : [within]), ...(parsePointer(error.path) ?? [])]
    const outer = path.slice(0, within === undefined ? 1 : 2).join('.')
    const field = (isExact ? place(path) : outer).slice(0, MAX_FIELD_CHARS)
    throw new Problem('invalid_field', sentence(error, path.join('.')), field || undefined)
  }
  return value as Static<S>
}

function place(path: readonly string[]): string {
  return path.reduce((within, part) => {
    if (/^\d+$/.test(part)) return `${within}[${part}]`
    return within === '' ? part : `${within}.${part}`
  }, '')
}

function sentence(error: ValueError, field: string): string {
  const name = field.slice(0, 2 * MAX_FIELD_CHARS)
  if (error.type === ValueErrorType.ObjectAdditionalProperties) return `Unknown field: ${name}.`
  if (error.value === undefined && name !== '') return `\`${name}\` is required${choicesOf(error.schema)}.`
  const wanted = expectation(error)
  return name === '' ? `${wanted.charAt(0).toUpperCase()}${wanted.slice(1)}.` : `${name}: ${wanted}.`
}

/** What the schema asks for, in words. */
function expectation({ type, schema }: ValueError): string {
  switch (type) {
    case ValueErrorType.StringMinLength:
      return `expected at least ${counted(schema.minLength, 'character')}`
    case ValueErrorType.StringMaxLength:
      return `expected at most ${counted(schema.maxLength, 'character')}`
    case ValueErrorType.StringPattern:
      return pattern(schema)
    case ValueErrorType.ArrayMinItems:
      return `expected at least ${counted(schema.minItems, 'item')}`
    case ValueErrorType.ArrayMaxItems:
      return `expected at most ${counted(schema.maxItems, 'item')}`
    case ValueErrorType.ObjectMinProperties:
      return `expected at least ${counted(schema.minProperties, 'field')}`
    default:
      return `expected ${typeOf(schema)}`
  }
}

function choicesOf(schema: TSchema): string {
  return schema.anyOf === undefined && schema.enum === undefined ? '' : `: ${typeOf(schema)}`
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

/** A pattern that only excludes characters needs no description. */
function pattern({ pattern: text, description }: TSchema): string {
  if (text === '\\S') return "can't be blank"
  const isExclusion = description === undefined || text.startsWith('^[^')
  // Its first sentence says what is expected.
  return isExclusion
    ? 'contains an invalid character'
    : `expected ${description.split('. ')[0]?.replace(/\.$/, '')}`
}

function typeOf(schema: TSchema): string {
  const { type, anyOf, enum: values, const: only, minimum, maximum } = schema
  if (only !== undefined) return String(only)
  if (values !== undefined) return values.join(' or ')
  if (anyOf !== undefined) return anyOf.map(typeOf).join(' or ')
  switch (type) {
    case 'integer':
      return `a whole number${range(minimum, maximum)}`
    case 'number':
      return `a number${range(minimum, maximum)}`
    case 'string':
      return 'a string'
    case 'boolean':
      return 'true or false'
    case 'array':
      return 'a list'
    case 'object':
      return 'a JSON object'
    default:
      return type ?? 'another value'
  }
}

function range(minimum: number | undefined, maximum: number | undefined): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`
  if (minimum !== undefined) return ` of at least ${minimum}`
  return maximum === undefined ? '' : ` of at most ${maximum}`
}

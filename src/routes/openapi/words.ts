import type { FieldView, WordView } from '../../../views/openapi/schema.tsx'
import type { ApiSchema } from './types.ts'

/** Depth to which nested fields are listed. */
const MAX_DEPTH = 4
const FORMATS: Readonly<Record<string, string>> = { uuid: 'id', 'date-time': 'time', date: 'day' }

/** A schema's type, as text and links to named schemas. */
export function wordsOf(schema: ApiSchema): WordView[] {
  const { $ref, anyOf, prefixItems, type } = schema
  if ($ref !== undefined) return [{ schema: nameIn($ref) }]
  if (schema.enum !== undefined) return [schema.enum.join(' | ')]
  if (schema.const !== undefined) return [JSON.stringify(schema.const)]
  if (anyOf !== undefined) return joined(anyOf.map(wordsOf), ' or ')
  if (prefixItems !== undefined) return ['[', ...joined(prefixItems.map(wordsOf), ', '), ']']
  if (type === 'array') return ['list of ', ...wordsOf(itemsOf(schema) ?? {})]
  const values = valuesOf(schema)
  if (values !== undefined) return ['map of ', ...wordsOf(values)]
  if (typeof type !== 'string') return ['any']
  return [FORMATS[schema.format ?? ''] ?? type]
}

/** The fields of an inline schema, including nested ones, each with its path. */
export function fieldsOf(schema: ApiSchema, within = '', depth = 0): FieldView[] {
  const { properties = {}, required = [] } = objectIn(schema)
  return Object.entries(properties).flatMap(([name, field]) => {
    const path = within + name + (itemsOf(field) === undefined ? '' : '[]')
    const view = {
      path,
      words: wordsOf(field),
      isRequired: required.includes(name),
      description: field.description ?? '',
      bounds: boundsOf(field),
    }
    const nested = depth < MAX_DEPTH ? fieldsOf(field, `${path}.`, depth + 1) : []
    return [view, ...nested]
  })
}

/** A value's limits and its default. */
export function boundsOf(schema: ApiSchema): string {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems } = schema
  const told = [
    between(minimum, maximum, ''),
    between(minLength, maxLength, ' characters'),
    between(minItems, maxItems, ' items'),
    schema.default === undefined || schema.default === '' ? '' : `default ${JSON.stringify(schema.default)}`,
  ]
  return told.filter(Boolean).join(', ')
}

export function nameIn(ref: string): string {
  return ref.slice(ref.lastIndexOf('/') + 1)
}

/** Value schema of a map. */
export function valuesOf({ patternProperties, additionalProperties }: ApiSchema): ApiSchema | undefined {
  if (patternProperties !== undefined) return Object.values(patternProperties)[0]
  return typeof additionalProperties === 'object' ? additionalProperties : undefined
}

/** The object inside a list or a nullable. */
function objectIn(schema: ApiSchema): ApiSchema {
  const others = schema.anyOf?.filter(({ type }) => type !== 'null')
  if (others?.length === 1) return objectIn(others[0] as ApiSchema)
  const item = itemsOf(schema)
  return item === undefined ? schema : objectIn(item)
}

/** Item schema of a list. */
export function itemsOf({ type, items }: ApiSchema): ApiSchema | undefined {
  return type === 'array' && items !== undefined && !Array.isArray(items) ? (items as ApiSchema) : undefined
}

function joined(each: readonly WordView[][], between: string): WordView[] {
  return each.flatMap((words, index) => (index === 0 ? words : [between, ...words]))
}

/** Only informative limits: a count is never negative anyway. */
function between(min: number | undefined, max: number | undefined, unit: string): string {
  if (max !== undefined) return `${(min ?? 0).toLocaleString('en')} to ${max.toLocaleString('en')}${unit}`
  return min === undefined || min <= 1 ? '' : `at least ${min.toLocaleString('en')}${unit}`
}

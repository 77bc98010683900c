import type { FieldView, WordView } from '../../../views/openapi/schema.tsx'
import type { ApiSchema } from './types.ts'

/** Fields of fields are told in the same list, so deep. */
const MAX_DEPTH = 4
const FORMATS: Readonly<Record<string, string>> = { uuid: 'id', 'date-time': 'time', date: 'day' }

/** What a schema is, in words and names of schemas. */
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

/** The fields of a schema that is no reference, those within them too, each by its path. */
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

/** What a value may be beyond its type, and what it is when left out. */
export function boundsOf(schema: ApiSchema): string {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems } = schema
  const told = [
    between(minimum, maximum, ''),
    between(minLength, maxLength, ' characters'),
    between(minItems, maxItems, ' of them'),
    schema.default === undefined || schema.default === '' ? '' : `default ${JSON.stringify(schema.default)}`,
  ]
  return told.filter(Boolean).join(', ')
}

export function nameIn(ref: string): string {
  return ref.slice(ref.lastIndexOf('/') + 1)
}

/** The schema of the values of a map. */
export function valuesOf({ patternProperties, additionalProperties }: ApiSchema): ApiSchema | undefined {
  if (patternProperties !== undefined) return Object.values(patternProperties)[0]
  return typeof additionalProperties === 'object' ? additionalProperties : undefined
}

/** Below each of a list, and beside the null that may stand for it, is the same object. */
function objectIn(schema: ApiSchema): ApiSchema {
  const others = schema.anyOf?.filter(({ type }) => type !== 'null')
  if (others?.length === 1) return objectIn(others[0] as ApiSchema)
  const item = itemsOf(schema)
  return item === undefined ? schema : objectIn(item)
}

/** The schema of the members of a list. */
export function itemsOf({ type, items }: ApiSchema): ApiSchema | undefined {
  return type === 'array' && items !== undefined && !Array.isArray(items) ? (items as ApiSchema) : undefined
}

function joined(each: readonly WordView[][], between: string): WordView[] {
  return each.flatMap((words, index) => (index === 0 ? words : [between, ...words]))
}

/** Only what says something: that a count isn't negative goes without saying. */
function between(min: number | undefined, max: number | undefined, unit: string): string {
  if (max !== undefined) return `${(min ?? 0).toLocaleString('en')} to ${max.toLocaleString('en')}${unit}`
  return min === undefined || min <= 1 ? '' : `at least ${min.toLocaleString('en')}${unit}`
}

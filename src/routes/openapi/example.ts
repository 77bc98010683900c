import type { ApiDocument, ApiSchema } from './types.ts'
import { itemsOf, nameIn, valuesOf } from './words.ts'

type Schemas = ApiDocument['components']['schemas']

/** A schema may be recursive. */
const MAX_DEPTH = 8
const FORMATS: Readonly<Record<string, string>> = {
  uuid: '01993c5e-7f1a-7c3e-8b52-6d1f0a9c2e47',
  'date-time': '2026-01-31T12:00:00.000Z',
  date: '2026-01-31',
}
/** Values for fields of these names, so that an example looks like a real response. */
const TEXTS: Readonly<Record<string, string>> = {
  url: 'https://api.example.com/prices',
  name: 'Prices',
  method: 'GET',
  reason: 'The last poll succeeded.',
  path: '/items/0/price',
  hash: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  worker: 'host-1234',
  color: '#00ffcc',
  target: 'hooks.example.com',
  title: 'Prices is stalled',
  host: 'api.example.com',
  message: 'The host did not answer.',
  diagram: 'flowchart LR\n  UI --> D',
  tag: 'shop',
  from: 'UI',
  to: 'D',
}

/** An example value for a schema. */
export function exampleOf(schema: ApiSchema, schemas: Schemas, name = '', depth = 0): unknown {
  const { $ref, anyOf, prefixItems, type, properties } = schema
  const of = (each: ApiSchema, named = name) => exampleOf(each, schemas, named, depth + 1)
  if (depth > MAX_DEPTH) return null
  if ($ref !== undefined) return of(schemas[nameIn($ref)] ?? {})
  if (schema.const !== undefined) return schema.const
  if (schema.default !== undefined) return schema.default
  if (schema.enum !== undefined) return schema.enum[0]
  if (anyOf !== undefined) return of(anyOf[0] ?? {})
  if (prefixItems !== undefined) return prefixItems.map((each) => of(each))
  if (type === 'array') return [of(itemsOf(schema) ?? {})]
  if (properties !== undefined) {
    return Object.fromEntries(Object.entries(properties).map(([key, each]) => [key, of(each, key)]))
  }
  const values = valuesOf(schema)
  if (values !== undefined) return { Accept: 'application/json' }
  return plain(schema, name)
}

function plain({ type, format, minimum }: ApiSchema, name: string): unknown {
  if (type === 'string') return FORMATS[format ?? ''] ?? TEXTS[name] ?? '…'
  if (type === 'integer' || type === 'number') return Math.max(minimum ?? 0, 1)
  if (type === 'boolean') return true
  return type === 'null' ? null : {}
}

import { STEPS_MS } from '../../core/measures.ts'
import { STATUSES } from '../../core/sets/statuses.ts'
import { STREAM_KINDS } from '../../core/sets/stream-kinds.ts'
import { ORDERS, SORTS } from '../../streams/registry/listing.ts'

/** A parameter as in OpenAPI. Default: a query parameter of type string. */
export interface Parameter {
  name: string
  /** Default: query. */
  in?: 'path' | 'header'
  description?: string
  required?: boolean
  deprecated?: boolean
  schema?: object
}

/** Parameters shared by several routes; a route can override them. */
const COMMON: Readonly<Record<string, Omit<Parameter, 'name' | 'in'>>> = {
  q: { description: 'Search in name and URL' },
  tag: { description: 'Only streams with this tag' },
  host: { description: 'Host of the URL, including the port' },
  status: { description: 'Status of the stream', schema: oneOf(STATUSES) },
  state: { description: 'Former name of `status`', deprecated: true, schema: oneOf(STATUSES) },
  kind: { schema: oneOf(STREAM_KINDS) },
  sort: { schema: oneOf(SORTS) },
  order: { schema: oneOf(ORDERS) },
  from: { description: 'ISO 8601', schema: { type: 'string', format: 'date-time' } },
  to: { description: 'ISO 8601', schema: { type: 'string', format: 'date-time' } },
  step: { schema: { ...oneOf(Object.keys(STEPS_MS)), default: 'hour' } },
  after: { description: 'Cursor: `next` of the previous page' },
  limit: { description: 'Page size', schema: { type: 'integer', minimum: 1, default: 50 } },
  subscribers: { description: 'Number of subscribers to assume', schema: { type: 'integer', minimum: 1 } },
  lastEventId: { description: 'ID of the last event received; same as the Last-Event-ID header' },
}

/** A parameter in OpenAPI's format. */
export function inQuery(given: string | Parameter) {
  const parameter = typeof given === 'string' ? { name: given } : given
  const {
    name,
    in: place = 'query',
    description,
    required,
    deprecated,
    schema,
  } = { ...COMMON[parameter.name], ...parameter }
  return {
    name,
    in: place,
    ...(description && { description }),
    ...(required && { required }),
    ...(deprecated && { deprecated }),
    schema: schema ?? { type: 'string' as const },
  }
}

/** A string enum. */
export function oneOf(values: readonly string[]): { type: 'string'; enum: string[] } {
  return { type: 'string', enum: [...values] }
}

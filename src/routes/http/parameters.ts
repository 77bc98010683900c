import { KINDS } from '../../../drizzle/schema.ts'
import { VERDICTS } from '../../core/judging/verdict.ts'
import { STEPS_MS } from '../../core/measures.ts'
import { ORDERS, SORTS } from '../../streams/registry/listing.ts'

/** A parameter, of a query unless it says otherwise, as OpenAPI has it; text unless its schema says more. */
export interface Parameter {
  name: string
  /** Default: the query. */
  in?: 'path' | 'header'
  description?: string
  required?: boolean
  schema?: object
}

/** What a name means wherever it is a parameter, unless a route says it itself. */
const COMMON: Readonly<Record<string, Omit<Parameter, 'name' | 'in'>>> = {
  q: { description: 'Part of the name or the URL' },
  tag: { description: 'Of the streams that have it' },
  host: { description: 'Of the URL, with its port' },
  state: { description: 'The verdict', schema: oneOf(VERDICTS) },
  kind: { schema: oneOf(KINDS) },
  sort: { schema: oneOf(SORTS) },
  order: { schema: oneOf(ORDERS) },
  from: { description: 'ISO 8601', schema: { type: 'string', format: 'date-time' } },
  to: { description: 'ISO 8601', schema: { type: 'string', format: 'date-time' } },
  step: { schema: { ...oneOf(Object.keys(STEPS_MS)), default: 'hour' } },
  after: { description: 'Where the page before ended: its `next`' },
  limit: { description: 'Of a page', schema: { type: 'integer', minimum: 1, default: 50 } },
  subscribers: { description: 'To reckon with', schema: { type: 'integer', minimum: 1 } },
  lastEventId: { description: 'As the header Last-Event-ID: the last event that you have' },
}

/** A parameter in the words of OpenAPI. */
export function inQuery(given: string | Parameter) {
  const parameter = typeof given === 'string' ? { name: given } : given
  const {
    name,
    in: place = 'query',
    description,
    required,
    schema,
  } = { ...COMMON[parameter.name], ...parameter }
  return {
    name,
    in: place,
    ...(description && { description }),
    ...(required && { required }),
    schema: schema ?? { type: 'string' as const },
  }
}

/** Of these words. */
export function oneOf(values: readonly string[]): { type: 'string'; enum: string[] } {
  return { type: 'string', enum: [...values] }
}

import { KINDS } from '../../../drizzle/schema.ts'
import { VERDICTS } from '../../core/judging/verdict.ts'
import type { Filter } from '../../streams/registry/listing.ts'
import { oneOf } from './input.ts'

/** What narrows a list of streams, as queries and forms name it. */
export const FILTERS = ['q', 'tag', 'host', 'state', 'kind'] as const satisfies (keyof Filter)[]

/** @throws Problem `invalid_field` */
export function filterOf({ state, kind, ...texts }: Partial<Record<keyof Filter, string>>): Filter {
  return { ...texts, state: oneOf('state', state, VERDICTS), kind: oneOf('kind', kind, KINDS) }
}

import { STATUSES } from '../../core/sets/statuses.ts'
import { STREAM_KINDS } from '../../core/sets/stream-kinds.ts'
import { type Filter, SORTS, type Sort } from '../../streams/registry/listing.ts'
import { oneOf } from './input.ts'

/** Filters of a list of streams, as named in queries and forms; `state` is the former name of `status`. */
export const FILTERS = ['q', 'tag', 'host', 'status', 'state', 'kind'] as const satisfies (
  | keyof Filter
  | 'state'
)[]

/** @throws Problem `invalid_field` */
export function filterOf({
  status,
  state,
  kind,
  ...texts
}: Partial<Record<(typeof FILTERS)[number], string>>): Filter {
  return {
    ...texts,
    status: oneOf('status', status, STATUSES) ?? oneOf('state', state, STATUSES),
    kind: oneOf('kind', kind, STREAM_KINDS),
  }
}

/** What a list is sorted by; `verdict` is the former name of `status`. @throws Problem `invalid_field` */
export function sortOf(sort: string | undefined): Sort | undefined {
  return oneOf('sort', sort === 'verdict' ? 'status' : sort, SORTS)
}

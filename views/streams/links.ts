import type { Filter, ListQuery } from '../../src/streams/registry/listing.ts'

/** Filter and order of the list, as its URL has them. */
export type ListedAs = Filter & Pick<ListQuery, 'sort' | 'order'>

export const FILTER_NAMES = ['q', 'tag', 'host', 'status', 'kind'] as const satisfies (keyof Filter)[]

/** The first page of a list, or the one after a cursor. */
export function listLink(listed: ListedAs, after?: string): string {
  const parameters = { ...listed, after }
  const given = Object.entries(parameters).filter((entry): entry is [string, string] => Boolean(entry[1]))
  return given.length === 0 ? '/streams' : `/streams?${new URLSearchParams(given)}`
}

/** Only the filter, without the order. */
export function onlyFilter(listed: ListedAs): Filter {
  return Object.fromEntries(FILTER_NAMES.map((name) => [name, listed[name]]))
}

export function isFiltered(listed: ListedAs): boolean {
  return FILTER_NAMES.some((name) => listed[name])
}

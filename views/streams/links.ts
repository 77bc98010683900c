/** How a list is narrowed and ordered; all of it stands in its URL. */
export interface ListedAs {
  q?: string
  tag?: string
  host?: string
  state?: string
  kind?: string
  sort?: string
  order?: string
}

export const FILTER_NAMES = ['q', 'tag', 'host', 'state', 'kind'] as const

/** The first page of a list, or the one after a cursor. */
export function listLink(listed: ListedAs, after?: string): string {
  const parameters = { ...listed, after }
  const given = Object.entries(parameters).filter((entry): entry is [string, string] => Boolean(entry[1]))
  return given.length === 0 ? '/streams' : `/streams?${new URLSearchParams(given)}`
}

/** What of it narrows. */
export function filterOf(listed: ListedAs): ListedAs {
  return Object.fromEntries(FILTER_NAMES.map((name) => [name, listed[name]]))
}

export function isFiltered(listed: ListedAs): boolean {
  return FILTER_NAMES.some((name) => listed[name])
}

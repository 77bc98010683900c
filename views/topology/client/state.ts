// The topology page's state as stored in its URL: shareable, and the back button works.

export const GROUPINGS = ['none', 'group', 'kind', 'host'] as const
export type Grouping = (typeof GROUPINGS)[number]
export const DIRECTIONS = ['both', 'up', 'down'] as const
/** `up`: its callers, `down`: its callees. */
export type Direction = (typeof DIRECTIONS)[number]

export const MAX_STEPS = 3
/** Longest search text. */
export const MAX_SEARCH_CHARS = 100
/** Maximum number of expanded groups in a URL. */
const MAX_OPEN = 100

export interface State {
  /** The search text. */
  search: string
  hideIdle: boolean
  grouping: Grouping
  /** Expanded groups. */
  open: readonly string[]
  /** The service in the panel. */
  node?: string
  /** The call in the panel, as `[from, to]`. */
  edge?: readonly [from: string, to: string]
  /** The service whose neighborhood is shown alone. */
  focus?: string
  /** How far the neighborhood reaches, 1 to `MAX_STEPS`. */
  steps: number
  direction: Direction
  /** The replayed moment, in milliseconds since 1970; omitted for live. */
  at?: number
  /** An invalid moment in the URL, as it is written there. */
  badAt?: string
}

export function parseState(query: string): State {
  const params = new URLSearchParams(query)
  const state: State = {
    search: (params.get('q') ?? '').slice(0, MAX_SEARCH_CHARS),
    hideIdle: params.get('idle') === 'hide',
    grouping: oneOf(GROUPINGS, params.get('by')),
    open: params.getAll('open').slice(0, MAX_OPEN),
    steps: Math.min(Math.max(Math.trunc(Number(params.get('steps') ?? 1)) || 1, 1), MAX_STEPS),
    direction: oneOf(DIRECTIONS, params.get('toward')),
  }
  const [node, focus, from, to] = ['node', 'focus', 'from', 'to'].map((name) => params.get(name) || undefined)
  if (focus !== undefined) state.focus = focus
  if (from !== undefined && to !== undefined) state.edge = [from, to]
  else if (node !== undefined) state.node = node
  const at = params.get('at')
  if (at) Object.assign(state, momentOf(at))
  return state
}

/** The URL's query, with a leading `?`; empty for the default state. */
export function queryOf(state: State): string {
  const params = new URLSearchParams()
  if (state.search !== '') params.set('q', state.search)
  if (state.hideIdle) params.set('idle', 'hide')
  if (state.grouping !== 'none') params.set('by', state.grouping)
  for (const group of state.open) params.append('open', group)
  if (state.edge !== undefined) {
    params.set('from', state.edge[0])
    params.set('to', state.edge[1])
  } else if (state.node !== undefined) params.set('node', state.node)
  if (state.focus !== undefined) {
    params.set('focus', state.focus)
    params.set('steps', String(state.steps))
    if (state.direction !== 'both') params.set('toward', state.direction)
  }
  const query = params.toString()
  // Kept readable for people: a query may contain a colon (RFC 3986, 3.4).
  const at = state.at === undefined ? '' : `at=${isoSeconds(state.at)}`
  const parts = [query, at].filter((part) => part !== '')
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}

/** ISO 8601 to the second. */
export function isoSeconds(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
}

/** A date, or a time with its zone: one without would be another moment for each reader. */
const ZONED = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/

function momentOf(text: string): Pick<State, 'at' | 'badAt'> {
  const at = /^\d{10,}$/.test(text) ? Number(text) : ZONED.test(text) ? Date.parse(text) : Number.NaN
  // Dates end there: ECMA-262, 21.4.1.1.
  return Number.isNaN(at) || Math.abs(at) > 8.64e15 ? { badAt: text.slice(0, MAX_SEARCH_CHARS) } : { at }
}

function oneOf<Choice extends string>(choices: readonly [Choice, ...Choice[]], text: string | null): Choice {
  return choices.find((choice) => choice === text) ?? choices[0]
}

// Selects the services and calls that the picture shows: pure functions of the graph and the page's state.
import { isInTrouble, WORST_FIRST } from '../../../src/core/sets/statuses.ts'
import type { Call, DrawnGraph, DrawnService, RecentCalls } from './graph.ts'
import type { Direction, Grouping, State } from './state.ts'

/** Color of a group whose services differ. */
const MIXED_COLOR = 'silver'
/** Prefix of a group's ID: no service's ID contains a line end. */
const GROUP_PREFIX = 'group\n'

/** A service, or a group of them drawn as one. */
export interface ViewService extends DrawnService {
  /** IDs of the services in a group. */
  members?: readonly string[]
  /** Name of the group in the URL. */
  groupKey?: string
}

/** A call, or the calls between two groups drawn as one. */
export interface ViewCall extends Call {
  /** The calls that it sums up. Its `recent` latencies are the worst of theirs: quantiles can't be added. */
  parts?: readonly Call[]
}

export interface View {
  services: ViewService[]
  calls: ViewCall[]
  /** ID of the group that a service is drawn in, if it isn't drawn itself. */
  drawnIn: ReadonlyMap<string, string>
  /** Services that are idle, or out of focus. */
  hidden: number
}

type Shown = Pick<State, 'hideIdle' | 'grouping' | 'open' | 'focus' | 'steps' | 'direction' | 'node' | 'edge'>

/** The visible part of a graph. */
export function viewOf(graph: DrawnGraph, state: Shown): View {
  const kept = state.hideIdle ? withoutIdle(graph, state) : graph
  const { services, calls, drawnIn } = grouped(kept, state.grouping, state.open)
  const center = state.focus === undefined ? undefined : (drawnIn.get(state.focus) ?? state.focus)
  const near =
    center !== undefined && services.some(({ id }) => id === center)
      ? neighborhood(calls, center, state.steps, state.direction)
      : undefined
  const shown = near === undefined ? services : services.filter(({ id }) => near.has(id))
  const shownCalls =
    near === undefined ? calls : calls.filter(({ from, to }) => near.has(from) && near.has(to))
  const drawn = shown.reduce((sum, { members }) => sum + (members?.length ?? 1), 0)
  return { services: shown, calls: shownCalls, drawnIn, hidden: graph.services.length - drawn }
}

export function isIdle({ recent }: Call): boolean {
  return recent === undefined || recent.rate === 0
}

/** The group of a service; undefined for one that stays alone. */
export function groupKeyOf({ group, kind, url }: DrawnService, grouping: Grouping): string | undefined {
  switch (grouping) {
    case 'none':
      return undefined
    case 'group':
      return group
    case 'kind':
      return kind
    case 'host':
      return url === undefined ? undefined : (URL.parse(url)?.host ?? undefined)
  }
}

/** Everything within some steps of a service, including itself. */
export function neighborhood(
  calls: readonly Call[],
  center: string,
  steps: number,
  direction: Direction,
): Set<string> {
  const down = direction === 'up' ? new Map() : Map.groupBy(calls, ({ from }) => from)
  const up = direction === 'down' ? new Map() : Map.groupBy(calls, ({ to }) => to)
  // Each direction separately: a caller's other callees aren't on the way to the service.
  const near = new Set([center])
  for (const id of reach(down, 'to', center, steps)) near.add(id)
  for (const id of reach(up, 'from', center, steps)) near.add(id)
  return near
}

/** Several edges as one: rates add up, latencies are those of the worst part. */
export function summed(from: string, to: string, parts: readonly Call[]): ViewCall {
  const newest = parts.reduce((a, b) => ((b.calledAt ?? '') >= (a.calledAt ?? '') ? b : a))
  const total = (of: (call: Call) => number) => parts.reduce((sum, call) => sum + of(call), 0)
  const call: ViewCall = {
    ...newest,
    from,
    to,
    count: total((c) => c.count),
    errors: total((c) => c.errors),
    parts,
  }
  const recents = parts.flatMap(({ recent }) => recent ?? [])
  if (recents.length > 0) call.recent = summedRecent(recents)
  else delete call.recent
  return call
}

/** The combined numbers of several edges. */
export function summedRecent(parts: readonly RecentCalls[]): RecentCalls {
  const rate = parts.reduce((sum, part) => sum + part.rate, 0)
  const errors = parts.reduce((sum, part) => sum + part.rate * part.errorShare, 0)
  const recent: RecentCalls = { rate, errorShare: rate === 0 ? 0 : errors / rate }
  const p50s = parts.flatMap(({ p50Ms }) => p50Ms ?? [])
  const p95s = parts.flatMap(({ p95Ms }) => p95Ms ?? [])
  if (p50s.length > 0) recent.p50Ms = Math.max(...p50s)
  if (p95s.length > 0) recent.p95Ms = Math.max(...p95s)
  return recent
}

/** Leaves out idle calls and services that only they reach; services in trouble or selected stay. */
function withoutIdle({ services, calls }: DrawnGraph, { node, edge, focus }: Shown): DrawnGraph {
  const busy = calls.filter(
    (call) => !isIdle(call) || (edge !== undefined && edge[0] === call.from && edge[1] === call.to),
  )
  const kept = new Set([...busy.flatMap(({ from, to }) => [from, to]), node, focus])
  return {
    services: services.filter(({ id, status }) => kept.has(id) || (status && isInTrouble(status))),
    calls: busy,
  }
}

function grouped(
  { services, calls }: DrawnGraph,
  grouping: Grouping,
  open: readonly string[],
): Omit<View, 'hidden'> {
  const drawnIn = new Map<string, string>()
  const members = new Map<string, DrawnService[]>()
  for (const service of services) {
    const key = groupKeyOf(service, grouping)
    if (key === undefined || open.includes(key)) continue
    const list = members.get(key)
    if (list === undefined) members.set(key, [service])
    else list.push(service)
  }
  const groups = new Map<string, ViewService>()
  for (const [key, list] of members) {
    // A group of one is clearer as the service itself.
    if (list.length < 2) continue
    const group = groupOf(key, list)
    for (const { id } of list) drawnIn.set(id, group.id)
    groups.set(group.id, group)
  }
  return { services: drawnServices(services, drawnIn, groups), calls: drawnCalls(calls, drawnIn), drawnIn }
}

/** Each group takes the place of its first service. */
function drawnServices(
  services: readonly DrawnService[],
  drawnIn: ReadonlyMap<string, string>,
  groups: ReadonlyMap<string, ViewService>,
): ViewService[] {
  const drawn = new Map<string, ViewService>()
  for (const service of services) {
    const shown = groups.get(drawnIn.get(service.id) ?? '') ?? service
    drawn.set(shown.id, shown)
  }
  return [...drawn.values()]
}

function drawnCalls(calls: readonly Call[], drawnIn: ReadonlyMap<string, string>): ViewCall[] {
  const at = (id: string) => drawnIn.get(id) ?? id
  const bundles = Map.groupBy(calls, ({ from, to }) => JSON.stringify([at(from), at(to)]))
  return [...bundles.values()].flatMap((bundle): ViewCall[] => {
    const [first] = bundle as [Call, ...Call[]]
    const [from, to] = [at(first.from), at(first.to)]
    if (from === first.from && to === first.to) return bundle
    // Calls within a group aren't drawn.
    return from === to ? [] : [summed(from, to, bundle)]
  })
}

function groupOf(key: string, list: readonly DrawnService[]): ViewService {
  const [first] = list as [DrawnService, ...DrawnService[]]
  const same = <Value>(of: (service: DrawnService) => Value) =>
    list.every((service) => of(service) === of(first))
  const group: ViewService = {
    id: GROUP_PREFIX + key,
    name: `${key} (${list.length})`,
    kind: same(({ kind }) => kind) ? first.kind : 'rest',
    color: same(({ color }) => color) ? first.color : MIXED_COLOR,
    // biome-ignore lint/complexity/useMathMinMax: dates as text, which Math.max can't compare
    reportedAt: list.reduce((newest, { reportedAt }) => (reportedAt > newest ? reportedAt : newest), ''),
    node: `g_${[...key].map((char) => char.codePointAt(0)?.toString(16)).join('_')}`,
    members: list.map(({ id }) => id),
    groupKey: key,
  }
  const worst = WORST_FIRST.find((status) => list.some((service) => service.status === status))
  if (worst === undefined) return group
  const those = list.filter(({ status }) => status === worst)
  const reason = those[0]?.reason
  const named = `${those.length} of ${list.length} ${those.length === 1 ? 'is' : 'are'} ${worst}`
  return {
    ...group,
    status: worst,
    reason: reason === undefined ? `${named}.` : `${named}. ${those[0]?.name}: ${reason}`,
  }
}

function reach(
  calls: ReadonlyMap<string, readonly Call[]>,
  end: 'from' | 'to',
  center: string,
  steps: number,
): Set<string> {
  const seen = new Set([center])
  let edge = [center]
  for (let step = 0; step < steps; step++) {
    edge = edge.flatMap((id) => (calls.get(id) ?? []).map((call) => call[end])).filter((id) => !seen.has(id))
    for (const id of edge) seen.add(id)
  }
  return seen
}

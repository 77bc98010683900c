// Which services and calls the picture shows of the whole graph: pure functions from the graph and the page's state.
import type { Call, Graph, RecentCalls, Service, Verdict } from './graph.ts'
import type { Direction, Grouping, State } from './state.ts'

/** Worst first. */
const VERDICTS: readonly Verdict[] = ['dead', 'stalled', 'backing-off', 'quiet', 'stopped', 'live']
/** A service with one of these is shown however idle it is. */
const TROUBLE: ReadonlySet<Verdict> = new Set(['dead', 'stalled', 'backing-off'])
/** What a group is drawn in whose services differ. */
const MIXED_COLOUR = 'silver'
/** Begins the id of a group: a line end is in no service's id. */
const GROUP_PREFIX = 'group\n'

/** A service, or a group of them drawn as one. */
export interface ViewService extends Service {
  /** Ids of the services that a group stands for. */
  members?: readonly string[]
  /** What the group is called in the address. */
  groupKey?: string
}

/** A call, or the calls between two groups drawn as one. */
export interface ViewCall extends Call {
  /** The calls that it sums up. Its `recent` latencies are the worst of theirs: no sum can be told from parts. */
  parts?: readonly Call[]
}

export interface View {
  services: ViewService[]
  calls: ViewCall[]
  /** Id of the group that a service is drawn in, where it isn't drawn itself. */
  drawnIn: ReadonlyMap<string, string>
  /** Services that are idle, or out of focus. */
  hidden: number
}

type Shown = Pick<State, 'hideIdle' | 'grouping' | 'open' | 'focus' | 'steps' | 'direction' | 'node' | 'edge'>

/** What is shown of a graph. */
export function viewOf(graph: Graph, state: Shown): View {
  const kept = state.hideIdle ? withoutIdle(graph, state) : graph
  const { services, calls, drawnIn } = grouped(kept, state.grouping, state.open)
  const centre = state.focus === undefined ? undefined : (drawnIn.get(state.focus) ?? state.focus)
  const near =
    centre !== undefined && services.some(({ id }) => id === centre)
      ? neighbourhood(calls, centre, state.steps, state.direction)
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

/** What a service is grouped by; undefined for one that stays alone. */
export function groupKeyOf({ group, kind, url }: Service, grouping: Grouping): string | undefined {
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

/** Everything within some steps of a service, itself too. */
export function neighbourhood(
  calls: readonly Call[],
  centre: string,
  steps: number,
  direction: Direction,
): Set<string> {
  const down = direction === 'up' ? new Map() : Map.groupBy(calls, ({ from }) => from)
  const up = direction === 'down' ? new Map() : Map.groupBy(calls, ({ to }) => to)
  // Each way on its own: what else a caller calls isn't on the way to the service.
  const near = new Set([centre])
  for (const id of reach(down, 'to', centre, steps)) near.add(id)
  for (const id of reach(up, 'from', centre, steps)) near.add(id)
  return near
}

/** Several edges as one: rates add up, and of latencies only the worst part is known. */
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

/** Numbers of several edges as one's. */
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

/** Leaves out idle calls and whom only they reach; what is in trouble or chosen stays. */
function withoutIdle({ services, calls }: Graph, { node, edge, focus }: Shown): Graph {
  const busy = calls.filter(
    (call) => !isIdle(call) || (edge !== undefined && edge[0] === call.from && edge[1] === call.to),
  )
  const kept = new Set([...busy.flatMap(({ from, to }) => [from, to]), node, focus])
  return {
    services: services.filter(({ id, verdict }) => kept.has(id) || (verdict && TROUBLE.has(verdict))),
    calls: busy,
  }
}

function grouped(
  { services, calls }: Graph,
  grouping: Grouping,
  open: readonly string[],
): Omit<View, 'hidden'> {
  const drawnIn = new Map<string, string>()
  const members = new Map<string, Service[]>()
  for (const service of services) {
    const key = groupKeyOf(service, grouping)
    if (key === undefined || open.includes(key)) continue
    const list = members.get(key)
    if (list === undefined) members.set(key, [service])
    else list.push(service)
  }
  const groups = new Map<string, ViewService>()
  for (const [key, list] of members) {
    // One alone is clearer as itself.
    if (list.length < 2) continue
    const group = groupOf(key, list)
    for (const { id } of list) drawnIn.set(id, group.id)
    groups.set(group.id, group)
  }
  return { services: drawnServices(services, drawnIn, groups), calls: drawnCalls(calls, drawnIn), drawnIn }
}

/** Each group stands where its first service stood. */
function drawnServices(
  services: readonly Service[],
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
    // What goes on within a group is not drawn.
    return from === to ? [] : [summed(from, to, bundle)]
  })
}

function groupOf(key: string, list: readonly Service[]): ViewService {
  const [first] = list as [Service, ...Service[]]
  const same = <Value>(of: (service: Service) => Value) => list.every((service) => of(service) === of(first))
  const group: ViewService = {
    id: GROUP_PREFIX + key,
    name: `${key} (${list.length})`,
    kind: same(({ kind }) => kind) ? first.kind : 'rest',
    colour: same(({ colour }) => colour) ? first.colour : MIXED_COLOUR,
    // biome-ignore lint/complexity/useMathMinMax: dates as text, which Math.max can't compare
    reportedAt: list.reduce((newest, { reportedAt }) => (reportedAt > newest ? reportedAt : newest), ''),
    node: `g_${[...key].map((char) => char.codePointAt(0)?.toString(16)).join('_')}`,
    members: list.map(({ id }) => id),
    groupKey: key,
  }
  const worst = VERDICTS.find((verdict) => list.some((service) => service.verdict === verdict))
  if (worst === undefined) return group
  const those = list.filter(({ verdict }) => verdict === worst)
  const reason = those[0]?.reason
  const named = `${those.length} of ${list.length} ${those.length === 1 ? 'is' : 'are'} ${worst}`
  return {
    ...group,
    verdict: worst,
    reason: reason === undefined ? `${named}.` : `${named}. ${those[0]?.name}: ${reason}`,
  }
}

function reach(
  calls: ReadonlyMap<string, readonly Call[]>,
  end: 'from' | 'to',
  centre: string,
  steps: number,
): Set<string> {
  const seen = new Set([centre])
  let edge = [centre]
  for (let step = 0; step < steps; step++) {
    edge = edge.flatMap((id) => (calls.get(id) ?? []).map((call) => call[end])).filter((id) => !seen.has(id))
    for (const id of edge) seen.add(id)
  }
  return seen
}

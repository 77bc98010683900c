import { type Random, randomFor } from '../random.ts'

export const MAX_RANDOM_SERVICES = 300
/** Beside the ports of the sample graph and the shop. */
const PORT_BASE = 5_200
/** How many services each layer has, as parts of all; each calls only layers behind its own. */
const LAYERS = [1, 2, 4, 6, 5, 4] as const
const CALLS_PER_SERVICE = 3
/** How many layers a call may reach ahead, unless those are empty. */
const MAX_REACH = 2
/** Attempts to find another pair of services. There is one nearly always, but not in a graph of three. */
const ATTEMPTS_PER_CALL = 4
/** Services that traffic goes to at most. */
const MAX_ENTRIES = 10
const ENTRY_PER_MINUTE = 30
const GROUPS = ['north', 'east', 'south', 'west', 'core'] as const

interface Draft {
  name: string
  layer: number
  group: string
  called: Set<Draft>
}

/** A graph without circles, as a graph file would say it: the same for the same size and seed. */
export function randomGraph(size: number, seed: number): object {
  const random = randomFor(seed, `random graph of ${size}`)
  const drafts = draft(size, random)
  const last = Math.max(...drafts.map(({ layer }) => layer))
  link(drafts, random)
  const entries = drafts.filter(({ layer }) => layer === 0).slice(0, MAX_ENTRIES)
  return {
    portBase: PORT_BASE,
    services: drafts.map((each) => described(each, each.layer === last && last > 0, random)),
    traffic: entries.map(({ name }) => ({ to: name, perMinute: ENTRY_PER_MINUTE, shape: 'poisson' })),
  }
}

function draft(size: number, random: Random): Draft[] {
  const parts = LAYERS.reduce((sum: number, part) => sum + part, 0)
  const digits = String(size).length
  const drafts: Draft[] = []
  for (let at = 0; at < size; at++) {
    let share = (at / size) * parts
    const layer = LAYERS.findIndex((part) => {
      share -= part
      return share < 0
    })
    drafts.push({
      name: `s${String(at + 1).padStart(digits, '0')}`,
      layer,
      group: pick(GROUPS, random),
      called: new Set(),
    })
  }
  return drafts
}

/** Gives every service behind the first layer a caller, then adds calls until there are enough. */
function link(drafts: Draft[], random: Random): void {
  const before = (service: Draft) => {
    const earlier = drafts.filter(({ layer }) => layer < service.layer)
    const near = earlier.filter(({ layer }) => layer >= service.layer - MAX_REACH)
    return near.length > 0 ? near : earlier
  }
  let calls = 0
  for (const service of drafts) {
    const callers = before(service)
    if (callers.length === 0) continue
    pick(callers, random).called.add(service)
    calls++
  }
  const wanted = drafts.length * CALLS_PER_SERVICE
  for (let attempt = wanted * ATTEMPTS_PER_CALL; attempt > 0 && calls < wanted; attempt--) {
    const service = pick(drafts, random)
    const callers = before(service).filter(({ called }) => !called.has(service))
    if (callers.length === 0) continue
    pick(callers, random).called.add(service)
    calls++
  }
}

function described({ name, group, called }: Draft, isStore: boolean, random: Random): object {
  const p50 = 1 + Math.round(random() * 20)
  const calls = [...called].map((service) => ({
    service: service.name,
    timeoutMs: 2_000,
    probability: 0.3 + Math.round(random() * 40) / 100,
    optional: random() < 0.5,
  }))
  return {
    name,
    group,
    kind: isStore ? pick(['database', 'database', 'queue'] as const, random) : 'service',
    latencyMs: { p50, p90: p50 * 3, p99: p50 * 10 },
    errorRate: Math.round(random() * 20) / 1_000,
    // Half of the calls one after another, the others at once.
    calls: random() < 0.5 || calls.length < 2 ? calls : [{ parallel: calls }],
  }
}

function pick<T>(items: readonly T[], random: Random): T {
  const item = items[Math.floor(random() * items.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}

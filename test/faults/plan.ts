import { type Random, randomFor } from '../../src/sim/random.ts'
import { FAULTS, type FaultKind, type Planned, type SetupName } from './faults.ts'
import { WORKERS } from './fleet.ts'

/** From one fault to the next, in milliseconds. */
const PAUSE_MS = [1_000, 4_000] as const
/** What was killed has this long to come back before the next fault on the same part, in milliseconds. */
const RECOVERY_MS = 3_000

/** A run of at least this long, in milliseconds, begins with the prelude. */
const PRELUDE_FROM_MS = 40_000
/** A fault that happens alone, and the time that is left to it in milliseconds: it shows what a takeover takes. */
type Alone = readonly [name: string, aloneMs: number]
const HANDED_OVER: readonly Alone[] = [
  ['worker kill -9', 12_000],
  ['worker SIGTERM', 6_000],
]
const PRELUDE: Record<SetupName, readonly Alone[]> = {
  embedded: [['Weir kill -9', 12_000]],
  postgres: HANDED_OVER,
  'postgres-redis': HANDED_OVER,
}
const PRELUDE_AWAY_MS = 1_000

/** What goes wrong, and when: the same for the same seed, set-up and duration. */
export function plan(seed: number, setup: SetupName, durationMs: number): Planned[] {
  const random = randomFor(seed, setup)
  const kinds = Object.entries(FAULTS).filter(([, { setups }]) => setups.includes(setup))
  const busyUntil = new Map<string, number>()
  const { planned, endMs } = prelude(durationMs < PRELUDE_FROM_MS ? [] : PRELUDE[setup])
  for (let atMs = endMs + between(random, PAUSE_MS); atMs < durationMs; atMs += between(random, PAUSE_MS)) {
    const target = Math.floor(random() * WORKERS)
    const free = kinds.filter(([, kind]) => (busyUntil.get(partOf(kind, target)) ?? 0) <= atMs)
    const chosen = choose(random, free)
    if (chosen === undefined) continue
    const [name, kind] = chosen
    const fault = { name, atMs, forMs: between(random, kind.forMs), target }
    busyUntil.set(partOf(kind, target), atMs + fault.forMs + RECOVERY_MS)
    planned.push(fault)
  }
  return planned
}

function prelude(faults: readonly Alone[]): { planned: Planned[]; endMs: number } {
  let endMs = 0
  const planned = faults.map(([name, aloneMs], target) => {
    const atMs = endMs
    endMs += aloneMs
    return { name, atMs, forMs: PRELUDE_AWAY_MS, target }
  })
  return { planned, endMs }
}

/** What a fault keeps busy: a fault on the same must wait. */
export function partOf({ part }: FaultKind, target: number): string {
  return part === 'worker' ? `worker-${target}` : part
}

function choose(random: Random, kinds: readonly [string, FaultKind][]): [string, FaultKind] | undefined {
  const weights = kinds.reduce((sum, [, { weight }]) => sum + weight, 0)
  let left = random() * weights
  return kinds.find(([, { weight }]) => {
    left -= weight
    return left < 0
  })
}

function between(random: Random, [least, most]: readonly [number, number]): number {
  return Math.round(least + random() * (most - least))
}

import { type Random, randomFor } from '../../../src/sim/random.ts'
import { FAULTS, kindOf } from './faults.ts'
import type { FaultKind, Planned, Range, SetupName } from './kind.ts'

/** What was killed has this long to come back before the next fault on the same part, in milliseconds. */
const RECOVERY_MS = 3_000
/** From one chance of a fault to the next, in milliseconds. */
const PAUSE_MS: Range = [300, 1_500]
/** Targets are numbers below this: a multiple of how many there are of anything. */
const TARGETS = 6
/** A fault this long, in milliseconds, happens beside others, but not beside another as long. */
const LONG_MS = 25_000

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

export interface PlanOptions {
  seed: number
  setup: SetupName
  durationMs: number
  /** How many faults are in progress together. */
  atOnce: number
}

/** What goes wrong, and when: the same for the same options. */
export function plan({ seed, setup, durationMs, atOnce }: PlanOptions): Planned[] {
  const random = randomFor(seed, setup)
  const kinds = Object.entries(FAULTS).filter(([, { setups }]) => setups.includes(setup))
  const { planned, endMs } = prelude(durationMs < PRELUDE_FROM_MS ? [] : PRELUDE[setup])
  for (let atMs = endMs + between(random, PAUSE_MS); atMs < durationMs; atMs += between(random, PAUSE_MS)) {
    const target = Math.floor(random() * TARGETS)
    const busy = planned.filter((fault) => isBusy(fault, atMs))
    if (busy.length >= atOnce) continue
    const fits = ([, kind]: readonly [string, FaultKind]) => isFree(kind, target, busy, durationMs - atMs)
    const chosen = choose(random, kinds.filter(fits))
    if (chosen === undefined) continue
    const [name, { forMs }] = chosen
    planned.push({ name, atMs, forMs: between(random, forMs), target })
  }
  return planned
}

function isBusy({ atMs, forMs }: Planned, now: number): boolean {
  return now < atMs + forMs + RECOVERY_MS
}

function isFree(
  { parts, forMs: [least] }: FaultKind,
  target: number,
  busy: readonly Planned[],
  leftMs: number,
): boolean {
  if (least > leftMs) return false
  if (least >= LONG_MS && busy.some(({ forMs }) => forMs >= LONG_MS)) return false
  const taken = new Set(busy.flatMap((fault) => kindOf(fault).parts(fault.target)))
  return !parts(target).some((part) => taken.has(part))
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

function choose(random: Random, kinds: readonly [string, FaultKind][]): [string, FaultKind] | undefined {
  const weights = kinds.reduce((sum, [, { weight }]) => sum + weight, 0)
  let left = random() * weights
  return kinds.find(([, { weight }]) => {
    left -= weight
    return left < 0
  })
}

function between(random: Random, [least, most]: Range): number {
  return Math.round(least + random() * (most - least))
}

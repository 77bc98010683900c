import type { Engine } from './engine.ts'
import type { Fleet } from './fleet.ts'
import { crashServer, freezeServer } from './own-server.ts'
import type { Program } from './program.ts'
import type { Misbehavior, UpstreamProcess } from './upstream.ts'

export type SetupName = 'embedded' | 'postgres' | 'postgres-redis'

/** What faults are done to. */
export interface Theatre {
  fleet: Fleet
  upstream: UpstreamProcess
  postgres: Engine | undefined
  redis: Engine | undefined
}

/** One fault as it was planned. */
export interface Planned {
  name: string
  /** When it begins, from the first fault's chance on, in milliseconds. */
  atMs: number
  /** How long the thing is away, frozen or silent, in milliseconds. */
  forMs: number
  /** What it is done to, where there are several: a worker's number, or the sources that are chosen. */
  target: number
}

/** What a fault is done to. Of faults on one part only one happens at a time; both engines are one part. */
export type Part = 'weir' | 'worker' | 'web' | 'upstream' | 'engine'

export interface FaultKind {
  part: Part
  setups: readonly SetupName[]
  /** Shortest and longest time away, in milliseconds. */
  forMs: readonly [number, number]
  /** How often it is chosen, against the others. */
  weight: number
  /** Stops a process of Weir for a while, which then reads late what came meanwhile. */
  isFreeze?: boolean
  inject(theatre: Theatre, planned: Planned): Promise<void>
}

const ALL: readonly SetupName[] = ['embedded', 'postgres', 'postgres-redis']
const GROWN: readonly SetupName[] = ['postgres', 'postgres-redis']
/** A worker without a sign of life for 5 s, looked for every second, has lost its streams: stopped for longer than both. */
const BEYOND_LOCK_MS = [8_000, 10_000] as const
const WITHIN_LOCK_MS = [500, 3_500] as const
const SOON_MS = [0, 3_000] as const
const AWAY_MS = [1_000, 10_000] as const
const AT_ONCE_MS = [0, 0] as const
const LONG_MS = [2_000, 8_000] as const
/** A misbehavior of the upstream is done to one in so many sources, so that others go on. */
const SPREAD = 3

/** Everything that can go wrong on purpose. */
export const FAULTS: Record<string, FaultKind> = {
  'worker kill -9': worker(SOON_MS, 3, killed),
  'worker SIGTERM': worker(SOON_MS, 2, terminated),
  'worker frozen beyond its lock': { ...worker(BEYOND_LOCK_MS, 2, frozen), isFreeze: true },
  'worker frozen briefly': { ...worker(WITHIN_LOCK_MS, 1, frozen), isFreeze: true },
  'web kill -9': { ...web(SOON_MS, 1, killed), setups: GROWN },
  'Weir kill -9': { ...web(SOON_MS, 3, killed), part: 'weir', setups: ['embedded'] },
  'Weir SIGTERM': { ...web(SOON_MS, 2, terminated), part: 'weir', setups: ['embedded'] },
  'Weir frozen beyond its lock': {
    ...web(BEYOND_LOCK_MS, 1, frozen),
    part: 'weir',
    setups: ['embedded'],
    isFreeze: true,
  },
  'Weir frozen briefly': {
    ...web(WITHIN_LOCK_MS, 1, frozen),
    part: 'weir',
    setups: ['embedded'],
    isFreeze: true,
  },
  'own Postgres kill -9': own(AT_ONCE_MS, 2, (pid) => crashServer(pid, 'server')),
  'own Postgres backend kill -9': own(AT_ONCE_MS, 1, (pid) => crashServer(pid, 'session')),
  'own Postgres frozen': own([1_000, 6_000], 1, freezeServer),
  'upstream kill -9': upstream([500, 4_000], 1, ({ upstream: { program } }, { forMs }) =>
    killed(program, forMs),
  ),
  'upstream frozen': upstream([1_000, 5_000], 1, ({ upstream: { program } }, { forMs }) =>
    frozen(program, forMs),
  ),
  'upstream drops connections': misbehaves('drop', 1),
  'upstream ends streams': misbehaves('end', SPREAD),
  'upstream ends mid-event': misbehaves('cut', SPREAD),
  'upstream stalls': misbehaves({ stall: true }, SPREAD, LONG_MS),
  'upstream half open': misbehaves({ halfOpen: true }, SPREAD, LONG_MS),
  'upstream answers 429': misbehaves({ status: 429, retryAfterSeconds: 2 }, SPREAD, LONG_MS),
  'upstream answers JSON': misbehaves({ json: true }, SPREAD, LONG_MS),
  'upstream holds back': misbehaves({ bufferMs: 900 }, SPREAD, LONG_MS),
  'upstream breaks off again and again': misbehaves({ truncate: 0.1 }, SPREAD, LONG_MS),
  'Postgres kill -9': engine(GROWN, AWAY_MS, 2, ({ postgres }, { forMs }) => postgres?.kill(forMs)),
  'Postgres frozen': engine(GROWN, [1_000, 6_000], 1, ({ postgres }, { forMs }) => postgres?.freeze(forMs)),
  'Postgres backend kill -9': engine(GROWN, AT_ONCE_MS, 1, ({ postgres }) => postgres?.crashBackend()),
  'Redis kill -9': engine(['postgres-redis'], AWAY_MS, 3, ({ redis }, { forMs }) => redis?.kill(forMs)),
  'Redis frozen': engine(['postgres-redis'], AWAY_MS, 2, ({ redis }, { forMs }) => redis?.freeze(forMs)),
}

type Deed = (program: Program, forMs: number) => Promise<void>

async function killed(program: Program, forMs: number): Promise<void> {
  await program.kill()
  await Bun.sleep(forMs)
  program.startLater()
}

async function terminated(program: Program, forMs: number): Promise<void> {
  await program.terminate()
  await Bun.sleep(forMs)
  program.startLater()
}

function frozen(program: Program, forMs: number): Promise<void> {
  return program.freeze(forMs)
}

function worker(forMs: readonly [number, number], weight: number, deed: Deed): FaultKind {
  return {
    part: 'worker',
    setups: GROWN,
    forMs,
    weight,
    inject: ({ fleet }, planned) => deed(fleet.workers[planned.target] as Program, planned.forMs),
  }
}

function web(forMs: readonly [number, number], weight: number, deed: Deed): FaultKind {
  return {
    part: 'web',
    setups: ALL,
    forMs,
    weight,
    inject: ({ fleet }, planned) => deed(fleet.web, planned.forMs),
  }
}

/** Done to the database server of a Weir that runs its own. */
function own(
  forMs: readonly [number, number],
  weight: number,
  deed: (weir: number | undefined, forMs: number) => Promise<void> | void,
): FaultKind {
  const inject: FaultKind['inject'] = async ({ fleet }, planned) => deed(fleet.web.pid, planned.forMs)
  return { part: 'weir', setups: ['embedded'], forMs, weight, inject }
}

function upstream(forMs: readonly [number, number], weight: number, inject: FaultKind['inject']): FaultKind {
  return { part: 'upstream', setups: ALL, forMs, weight, inject }
}

function misbehaves(
  how: Misbehavior,
  every: number,
  forMs: readonly [number, number] = AT_ONCE_MS,
): FaultKind {
  return upstream(forMs, 1, ({ upstream }, planned) =>
    upstream.misbehave(how, every, planned.target, planned.forMs),
  )
}

function engine(
  setups: readonly SetupName[],
  forMs: readonly [number, number],
  weight: number,
  inject: (theatre: Theatre, planned: Planned) => Promise<void> | undefined,
): FaultKind {
  return { part: 'engine', setups, forMs, weight, inject: async (...given) => inject(...given) }
}

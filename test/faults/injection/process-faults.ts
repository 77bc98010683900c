import { WEBS, WORKERS } from '../fleet.ts'
import type { Program } from '../program.ts'
import { LIBFAKETIME } from './clock.ts'
import { AT_ONCE_MS, type FaultKind, type Kinds, type Range, SPLIT, type Theatre } from './kind.ts'
import { crashServer, freezeServer } from './own-server.ts'

/** A worker without a sign of life for 5 s, looked for every second, has lost its streams: stopped for longer than both. */
const BEYOND_LOCK_MS: Range = [8_000, 10_000]
const WITHIN_LOCK_MS: Range = [500, 3_500]
const HALF_MINUTE_MS: Range = [27_000, 33_000]
const LONG_MS: Range = [85_000, 95_000]
const SOON_MS: Range = [0, 3_000]
const JUMP_MS: Range = [4_000, 15_000]
/** How far clocks jump, in milliseconds. */
const AHEAD_MS = 300_000
const BEHIND_MS = -180_000

const EVERY_PART = [
  ...Array.from({ length: WORKERS }, (_, index) => `worker-${index}`),
  ...Array.from({ length: WEBS }, (_, index) => `web-${index}`),
]

/** What goes wrong with Weir's own processes. */
export const PROCESS_FAULTS: Kinds = {
  'worker kill -9': worker(SOON_MS, 3, killed),
  'worker SIGTERM': worker(SOON_MS, 2, terminated),
  'worker frozen beyond its lock': worker(BEYOND_LOCK_MS, 2, frozen),
  'worker frozen briefly': worker(WITHIN_LOCK_MS, 1, frozen),
  'worker frozen for 30 s': worker(HALF_MINUTE_MS, 1, frozen),
  'worker frozen for 90 s': worker(LONG_MS, 1, frozen),
  'web kill -9': web(SOON_MS, 2, killed),
  'web SIGTERM': web(SOON_MS, 1, terminated),
  'web frozen': web(BEYOND_LOCK_MS, 1, frozen),
  'web frozen for 30 s': web(HALF_MINUTE_MS, 1, frozen),
  'all of Weir frozen': everything(BEYOND_LOCK_MS, 1),
  'all of Weir frozen for 30 s': everything(HALF_MINUTE_MS, 1),
  'Weir kill -9': weir(SOON_MS, 3, killed),
  'Weir SIGTERM': weir(SOON_MS, 2, terminated),
  'Weir frozen beyond its lock': weir(BEYOND_LOCK_MS, 1, frozen),
  'Weir frozen briefly': weir(WITHIN_LOCK_MS, 1, frozen),
  'Weir frozen for 30 s': weir(HALF_MINUTE_MS, 1, frozen),
  'Weir frozen for 90 s': weir(LONG_MS, 1, frozen),
  'own Postgres kill -9': own(AT_ONCE_MS, 2, (pid) => crashServer(pid, 'server')),
  'own Postgres backend kill -9': own(AT_ONCE_MS, 1, (pid) => crashServer(pid, 'session')),
  'own Postgres frozen': own([1_000, 6_000], 1, freezeServer),
  ...(LIBFAKETIME === undefined ? {} : clocks()),
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

function jumped(aheadMs: number): Deed {
  return async ({ clock }, forMs) => {
    clock?.set(aheadMs)
    await Bun.sleep(forMs)
    clock?.set(0)
  }
}

function clocks(): Kinds {
  const jump = (kind: FaultKind): FaultKind => ({ ...kind, isJump: true })
  return {
    "a worker's clock 5 min ahead": jump(worker(JUMP_MS, 1, jumped(AHEAD_MS))),
    "a worker's clock 3 min behind": jump(worker(JUMP_MS, 1, jumped(BEHIND_MS))),
    "a web process's clock 5 min ahead": jump(web(JUMP_MS, 1, jumped(AHEAD_MS))),
    "a web process's clock 3 min behind": jump(web(JUMP_MS, 1, jumped(BEHIND_MS))),
    "Weir's clock 5 min ahead": jump(weir(JUMP_MS, 1, jumped(AHEAD_MS))),
    "Weir's clock 3 min behind": jump(weir(JUMP_MS, 1, jumped(BEHIND_MS))),
  }
}

function worker(forMs: Range, weight: number, deed: Deed): FaultKind {
  return {
    setups: SPLIT,
    parts: (target) => [`worker-${target % WORKERS}`],
    forMs,
    weight,
    inject: ({ fleet }, { target, forMs }) => deed(fleet.workers[target % WORKERS] as Program, forMs),
  }
}

function web(forMs: Range, weight: number, deed: Deed): FaultKind {
  return {
    setups: SPLIT,
    parts: (target) => [`web-${target % WEBS}`],
    forMs,
    weight,
    inject: ({ fleet }, { target, forMs }) => deed(fleet.webs[target % WEBS] as Program, forMs),
  }
}

/** Done to every process of a Weir that has several. */
function everything(forMs: Range, weight: number): FaultKind {
  const inject = async ({ fleet }: Theatre, planned: { forMs: number }) => {
    await Promise.all(fleet.programs.map((program) => frozen(program, planned.forMs)))
  }
  return { setups: SPLIT, parts: () => EVERY_PART, forMs, weight, inject }
}

/** Done to a Weir of one process. */
function weir(forMs: Range, weight: number, deed: Deed): FaultKind {
  return {
    setups: ['embedded'],
    parts: () => ['weir'],
    forMs,
    weight,
    inject: ({ fleet }, planned) => deed(fleet.webs[0] as Program, planned.forMs),
  }
}

/** Done to the database server of a Weir that runs its own. */
function own(
  forMs: Range,
  weight: number,
  deed: (weir: number | undefined, forMs: number) => Promise<void> | void,
): FaultKind {
  const inject: FaultKind['inject'] = async ({ fleet }, planned) => deed(fleet.webs[0]?.pid, planned.forMs)
  return { setups: ['embedded'], parts: () => ['weir'], forMs, weight, inject }
}

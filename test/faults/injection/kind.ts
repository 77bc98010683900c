import type { Fleet } from '../fleet.ts'
import type { UpstreamProcess } from '../upstream/process.ts'
import type { Engine } from './engine.ts'

export type SetupName = 'embedded' | 'postgres' | 'postgres-redis'

/** What faults are done to. */
export interface Theatre {
  fleet: Fleet
  upstream: UpstreamProcess
  postgres: Engine | undefined
  /** Weir's database. */
  databaseUrl: string | undefined
  redis: Engine | undefined
}

/** One fault as it was planned. */
export interface Planned {
  name: string
  /** When it begins, from the first fault's chance on, in milliseconds. */
  atMs: number
  /** How long the thing is away, frozen or silent, in milliseconds. */
  forMs: number
  /** What it is done to, where there are several: a process's number, or the sources that are chosen. */
  target: number
}

export type Range = readonly [least: number, most: number]

export interface FaultKind {
  setups: readonly SetupName[]
  /** What it is done to. On the same part only one fault happens at a time. */
  parts(target: number): readonly string[]
  /** Shortest and longest time away, in milliseconds. */
  forMs: Range
  /** How often it is chosen, against the others. */
  weight: number
  /** Sets a clock of Weir's wrong. */
  isJump?: boolean
  inject(theatre: Theatre, planned: Planned): Promise<void>
}

export type Kinds = Record<string, FaultKind>

export const ALL: readonly SetupName[] = ['embedded', 'postgres', 'postgres-redis']
/** Those with a web process and workers. */
export const SPLIT: readonly SetupName[] = ['postgres', 'postgres-redis']

export const AT_ONCE_MS: Range = [0, 0]
export const AWAY_MS: Range = [1_000, 10_000]

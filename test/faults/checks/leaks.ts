import { descriptorsOf } from '../child.ts'
import type { Program } from '../program.ts'
import { isPolled } from '../upstream/content.ts'
import type { Followed } from './proof.ts'

/** Time between the two readings, in milliseconds. */
export const APART_MS = 10_000
/** Descriptors of a process that holds nothing, at most, and those of a stream: a connection, and one being closed. */
const BASE_DESCRIPTORS = 200
const PER_STREAM = 3
/** Between two readings in calm, connections of pools and polls come and go. */
const NOISE = 12

/** Open descriptors by the name of the process. */
export type Reading = Map<string, number>

export function readDescriptors(programs: readonly Program[]): Reading {
  const readings = programs.map(
    ({ name, pid }) => [name, pid === undefined ? 0 : (descriptorsOf(pid) ?? 0)] as const,
  )
  return new Map(readings)
}

export interface Leaks {
  faults: string[]
  /** Largest growth from the first reading to the second, and the most that any process had open. */
  growth: number
  most: number
}

/** An upstream has one connection for each of its event streams: more are of runs that should have ended. */
export function judgeConnections(open: number, streams: readonly Followed[]): string[] {
  const held = streams.filter(({ source }) => !isPolled(source)).length
  return open === held ? [] : [`connections: the upstream has ${open} open for ${held} event streams`]
}

/** Judges two readings of a fleet that is calm. */
export function judgeDescriptors(first: Reading, second: Reading, streams: number): Leaks {
  const leaks: Leaks = { faults: [], growth: Number.NEGATIVE_INFINITY, most: 0 }
  const bound = BASE_DESCRIPTORS + PER_STREAM * streams
  for (const [name, count] of second) {
    const growth = count - (first.get(name) ?? 0)
    leaks.growth = Math.max(leaks.growth, growth)
    leaks.most = Math.max(leaks.most, count)
    if (count === 0) leaks.faults.push(`process: ${name} does not run`)
    if (count > bound) leaks.faults.push(`descriptors: ${name} has ${count} open, more than ${bound}`)
    if (growth > NOISE) leaks.faults.push(`descriptors: ${name} had ${first.get(name)}, and soon ${count}`)
  }
  return leaks
}

import { type Random, randomFor } from '../../../src/sim/random.ts'
import type { Instruments } from './load.ts'
import { type Forms, mutated } from './mutate.ts'

/** Inputs that reach something new and are changed further; beyond it, new ones are dropped. */
const MAX_POOL = 5_000
/** Longer inputs aren't changed further: each takes too long. */
const MAX_POOLED_CHARS = 4_000
/** The event loop gets a turn after so many inputs. */
const INPUTS_PER_TURN = 200

/** A parser under test. */
export interface Target {
  /** Throws if the parser does what it may not: any error but those it documents, or a wrong result. */
  try(input: string): void | Promise<void>
  /** Valid inputs to begin with. */
  seeds: readonly string[]
  /** The structures that inputs have besides that of any text. Default: JSON. */
  forms?: Forms
}

export interface Exploration {
  /** Inputs tried. */
  inputs: number
  /** Branches taken at least once. */
  reached: number
  crash?: { input: string; error: Error }
}

export interface ExploreOptions {
  seed: number
  /** Whether to go on after so many inputs. */
  until(inputs: number): boolean
  corpus: readonly string[]
}

/**
 * Searches for an input that a parser can't take, guided by the branches it takes: an input that takes a new one, or
 * one more often, or comes nearer to what it is compared with, is changed further. Ends at the first crash.
 */
export async function explore(
  target: Target,
  instruments: Instruments,
  { seed, until, corpus }: ExploreOptions,
): Promise<Exploration> {
  const random: Random = randomFor(seed, 'explore')
  const seen = new Map<number, number>()
  const pool: string[] = []
  const waiting = [...corpus, ...target.seeds]
  const nearest = new Set<number>()
  const literals = [...instruments.words].filter((word) => word !== '')
  const material = { words: literals, numbers: [...instruments.numbers] }
  let inputs = 0
  while (until(inputs)) {
    const input = waiting.shift() ?? mutated(pool, material, random, target.forms)
    instruments.clear()
    inputs++
    try {
      const tried = target.try(input)
      if (tried !== undefined) await tried
    } catch (error) {
      return { inputs, reached: seen.size, crash: { input, error: error as Error } }
    }
    const { near, words } = instruments.comparisons
    const isNearer = addAll(near, nearest)
    if (
      (isNew(instruments.taken, seen) || isNearer) &&
      pool.length < MAX_POOL &&
      input.length <= MAX_POOLED_CHARS
    )
      pool.push(input)
    if (inputs % INPUTS_PER_TURN !== 0) continue
    material.words = [...literals, ...words]
    await new Promise((turn) => setImmediate(turn))
  }
  return { inputs, reached: seen.size }
}

/** Whether any was not there before. */
function addAll(from: ReadonlySet<number>, to: Set<number>): boolean {
  const before = to.size
  for (const each of from) to.add(each)
  return to.size > before
}

/** Whether a branch was taken for the first time, or more often than ever, by powers of two. */
function isNew(branches: Uint8Array, seen: Map<number, number>): boolean {
  let found = false
  for (let branch = 0; branch < branches.length; branch++) {
    const count = branches[branch] as number
    if (count === 0) continue
    const bits = 1 << (31 - Math.clz32(count))
    const known = seen.get(branch) ?? 0
    if ((known & bits) !== 0) continue
    seen.set(branch, known | bits)
    found = true
  }
  return found
}

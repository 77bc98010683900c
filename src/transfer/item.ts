import { Problem, type ProblemCode } from '../errors.ts'
import { MAX_URL_CHARS, type Registration } from '../streams/registry/registration.ts'
import type { Fields } from './fields.ts'

export const OUTCOMES = ['created', 'unchanged', 'updated', 'failed'] as const

/** What became of a line. */
export interface Outcome {
  line: number
  outcome: (typeof OUTCOMES)[number]
  /** Left out where there is no stream: of a line that failed and named none, of what a dry run would create. */
  id?: string
  /** Null where the line has none. */
  url: string | null
  name?: string
  /** Names of the headers that a stream loses with a URL of another origin; left out where it loses none. */
  droppedHeaders?: string[]
  problem?: { code: ProblemCode; detail: string; field: string | undefined }
}

/** A line on its way. */
export interface Item {
  line: number
  given: Fields
  url: string | null
  name?: string
  id?: string
  /** Set once the line turns out to be of a new stream. */
  registration?: Registration
  droppedHeaders?: string[]
  /** Set at the end of its way. */
  outcome?: Outcome['outcome']
  problem?: Problem
}
export type NewItem = Item & { registration: Registration }

/** What is told of a URL or name, in characters: a line that fails may have any. */
const MAX_TOLD_CHARS = MAX_URL_CHARS

export function report(item: Item): Outcome {
  const { line, outcome = 'failed', id, url, name, droppedHeaders = [], problem } = item
  const { code, detail, field } = problem ?? {}
  return {
    line,
    outcome,
    ...(id !== undefined && { id }),
    url: url?.slice(0, MAX_TOLD_CHARS) ?? null,
    ...(name !== undefined && { name: name.slice(0, MAX_TOLD_CHARS) }),
    ...(droppedHeaders.length > 0 && { droppedHeaders }),
    ...(code !== undefined && detail !== undefined && { problem: { code, detail, field } }),
  }
}

export function pending<I extends Item>(items: readonly I[]): I[] {
  return items.filter(({ outcome }) => outcome === undefined)
}

export function unregistered(items: readonly Item[]): NewItem[] {
  return pending(items).filter((item): item is NewItem => item.registration !== undefined)
}

export function idsOf(items: readonly Item[]): string[] {
  return items.flatMap(({ id }) => id ?? [])
}

/** Takes a step with an item; a problem is the end of its way, and nobody else's. */
export function attempt<T>(item: Item, step: () => T): T | undefined {
  try {
    return step()
  } catch (error) {
    fail(item, error)
  }
}

export async function attemptLater(item: Item, step: () => Promise<void>): Promise<void> {
  try {
    await step()
  } catch (error) {
    fail(item, error)
  }
}

function fail(item: Item, error: unknown): void {
  if (!(error instanceof Problem)) throw error
  item.outcome = 'failed'
  item.problem = error
}

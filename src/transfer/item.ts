import { Problem, type ProblemCode } from '../errors.ts'
import { MAX_URL_CHARS, type Registration } from '../streams/registry/registration.ts'
import type { JsonObject } from './fields.ts'

export const OUTCOMES = ['created', 'unchanged', 'updated', 'skipped', 'failed'] as const

/** The outcome of a line. */
export interface LineOutcome {
  line: number
  outcome: (typeof OUTCOMES)[number]
  /** Omitted if there is no stream: for a failed line without an ID, or a dry run that would create one. */
  id?: string
  /** Null if the line has none. */
  url: string | null
  name?: string
  /** Names of headers that are dropped because the URL has another origin; omitted if there are none. */
  droppedHeaders?: string[]
  problem?: { code: ProblemCode; detail: string; field: string | undefined }
  /** Why a line is skipped. */
  reason?: string
}

/** A line in progress. */
export interface Item {
  line: number
  given: JsonObject
  url: string | null
  name?: string
  id?: string
  /** Set if the line is a new stream. */
  registration?: Registration
  droppedHeaders?: string[]
  /** Set at the end. */
  outcome?: LineOutcome['outcome']
  problem?: Problem
  reason?: string
}
export type NewItem = Item & { registration: Registration }

/** Characters shown of a URL or name: a failed line may have any. */
const MAX_TOLD_CHARS = MAX_URL_CHARS

export function report(item: Item): LineOutcome {
  const { line, outcome = 'failed', id, url, name, droppedHeaders = [], problem, reason } = item
  const { code, detail, field } = problem ?? {}
  return {
    line,
    outcome,
    ...(id !== undefined && { id }),
    url: url?.slice(0, MAX_TOLD_CHARS) ?? null,
    ...(name !== undefined && { name: name.slice(0, MAX_TOLD_CHARS) }),
    ...(droppedHeaders.length > 0 && { droppedHeaders }),
    ...(code !== undefined && detail !== undefined && { problem: { code, detail, field } }),
    ...(reason !== undefined && { reason }),
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

/** Runs a step for an item; a problem ends this item only. */
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

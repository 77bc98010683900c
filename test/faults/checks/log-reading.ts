import type { LoggedEntry } from '../../support/weir.ts'

/** What a `gap` entry says was missed. */
export interface Gap {
  seq: number
  reason: string
  /** Milliseconds since the epoch. */
  from: number
  to: number
  /** The IDs that are missing, where Weir could tell: they are numbers then. */
  ids: { first: number; last: number } | undefined
}

interface GapData {
  reason: string
  from?: string
  to?: string
  firstId?: string
  lastId?: string
}

/** The upstream's number that an entry stores: an event's own, or a document's version. */
export function numberOf({ kind, data }: LoggedEntry): number | undefined {
  if (kind === 'event') return numberIn(data)
  if (kind === 'snapshot') return (data as { version?: number }).version
  if (kind !== 'patch') return undefined
  const operations = data as { path: string; value?: unknown }[]
  return operations.find(({ path }) => path === '/version')?.value as number | undefined
}

export function gapOf({ kind, seq, at, data }: LoggedEntry): Gap | undefined {
  if (kind !== 'gap') return undefined
  const { reason, from, to, firstId, lastId } = data as GapData
  const ids = firstId === undefined ? undefined : { first: Number(firstId), last: Number(lastId) }
  return { seq, reason, from: Date.parse(from ?? at), to: Date.parse(to ?? at), ids }
}

function numberIn(data: unknown): number | undefined {
  try {
    return (JSON.parse(data as string) as { n?: number }).n
  } catch {
    return undefined
  }
}

import { and, asc, isNull, sql } from 'drizzle-orm'
import { streams } from '../../drizzle/schema.ts'
import type { Caller } from '../auth/caller.ts'
import { type Frequency, frequencyOf } from '../core/change/rate.ts'
import { HEADLINE } from '../core/saved.ts'
import { STREAM_KIND } from '../core/sets/stream-kinds.ts'
import { Problem } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import type { Stream } from '../streams/ingest/run.ts'
import { sharesOfEach } from '../streams/measures/availability.ts'
import { changesOf } from '../streams/measures/comparisons.ts'
import { lastCpuTrials } from '../streams/measures/cpu-trials.ts'
import { sumsOfEach, type Window } from '../streams/measures/measures.ts'
import { addSavings, readStreamSavings } from '../streams/measures/savings.ts'
import { hasTag } from '../streams/registry/listing.ts'
import { visibleTo } from '../streams/registry/visibility.ts'
import { type ReportDeps, type Subject, subjectOf } from './report.ts'
import { type TagFigure, tagFigures } from './tag-figures.ts'

/** Most streams in one report: each costs a query. Of a tag with more, the first by name are in it. */
export const MAX_STREAMS = 100

/** A report of the streams with a tag. Contains nothing that its readers may not know. */
export interface TagReport {
  version: string
  madeAt: Date
  from: Date
  to: Date
  tag: string
  /** Those with the tag that the caller may see, and those in the report. */
  streams: { total: number; shown: number }
  /** Totals and medians of the rows. */
  figures: readonly TagFigure[]
  /** In a sentence; null if nothing was polled. */
  words: { savings: string | null }
  /** By name. */
  rows: readonly TagRow[]
}

/** One of the streams. What isn't known is null. */
export interface TagRow {
  id: string
  subject: Subject
  /** Of a response, or an event of an event stream. */
  meanBytes: number | null
  receivedBytes: number
  changed: number
  compared: number
  frequency: Frequency | null
  /** 0 to 1. */
  availability: number | null
  /** Share of the headline's baseline that streaming saves. */
  saving: number | null
  /** The same share of a server's CPU, by the last measurement. */
  cpuSaving: number | null
}

/**
 * Reports on the streams with a tag that a caller may see, without twins: they repeat what their streams poll.
 * @param caller a link's reader sees what everyone sees
 * @throws Problem `not_found` if there is none
 */
export async function readTagReport(
  { db, version, now }: ReportDeps,
  { tag, caller }: { tag: string; caller: Caller | undefined },
  period: Window,
): Promise<TagReport> {
  const { total, some } = await taggedStreams(db, tag, caller)
  if (total === 0) throw new Problem('not_found', 'There is no stream with this tag.')
  const ids = some.map(({ id }) => id)
  const [sums, shares, saved, trials] = await Promise.all([
    sumsOfEach(db, ids, period),
    sharesOfEach(db, ids, period),
    readStreamSavings(db, { streamIds: ids }, period),
    lastCpuTrials(db, ids),
  ])
  const savingOf = new Map(saved.map(({ id, saving }) => [id, saving]))
  const rows: TagRow[] = []
  // One after the other: a report must not take all connections to the database.
  for (const stream of some) {
    const { id, kind } = stream
    const of = sums.get(id)
    rows.push({
      ...{ id, subject: subjectOf(stream) },
      meanBytes: of === undefined ? null : meanBytes(of, STREAM_KIND[kind].isPolled),
      receivedBytes: (of?.wireBytes ?? 0) + (of?.headBytes ?? 0),
      ...{ changed: of?.changed ?? 0, compared: of?.compared ?? 0 },
      frequency: frequencyOf(await changesOf(db, stream, period)),
      availability: shares.get(id) ?? null,
      saving: savingOf.get(id) ?? null,
      cpuSaving: trials.get(id)?.saved[HEADLINE].share ?? null,
    })
  }
  const savings = addSavings(saved)
  return {
    ...{ version, madeAt: new Date(now()), ...period, tag },
    streams: { total, shown: some.length },
    figures: tagFigures(rows, savings),
    words: { savings: savings?.summary ?? null },
    rows,
  }
}

async function taggedStreams(
  db: Database,
  tag: string,
  caller: Caller | undefined,
): Promise<{ total: number; some: Stream[] }> {
  const rows = await db
    .select({ stream: streams, total: sql`count(*) OVER ()`.mapWith(Number) })
    .from(streams)
    .where(and(hasTag(tag), isNull(streams.twinOf), visibleTo(caller)))
    .orderBy(asc(streams.name), asc(streams.id))
    .limit(MAX_STREAMS)
  return { total: rows[0]?.total ?? 0, some: rows.map(({ stream }) => stream) }
}

function meanBytes(
  { plainBytes, polls, wireBytes, events }: Record<'plainBytes' | 'polls' | 'wireBytes' | 'events', number>,
  isPolled: boolean,
): number | null {
  const [part, whole] = isPolled ? [plainBytes, polls] : [wireBytes, events]
  return whole === 0 ? null : part / whole
}

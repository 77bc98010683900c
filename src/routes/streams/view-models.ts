import type { PushView } from '../../../views/push/panel.tsx'
import type { EntryDetail } from '../../../views/stream/entry.tsx'
import type { EntryRow } from '../../../views/stream/log.tsx'
import type { SavingsView } from '../../../views/stream/savings.tsx'
import type { MeasureView, StatusView } from '../../../views/stream/stream.tsx'
import type { StreamRow } from '../../../views/streams/table.tsx'
import type { TwinView } from '../../../views/twins/twin.tsx'
import { type Estimate, missedShare } from '../../core/change/rate.ts'
import { briefly } from '../../core/change/words.ts'
import type { Json } from '../../core/documents/document.ts'
import { indentJson } from '../../core/documents/indent.ts'
import { parseJson } from '../../core/documents/json.ts'
import { connectionsText, endSentence } from '../../core/judging/ended-connections.ts'
import { failureSentence } from '../../core/judging/failure.ts'
import { refusedLately } from '../../core/judging/refusals.ts'
import { resumesOf, resumesText } from '../../core/judging/resumes.ts'
import { type Evidence, span } from '../../core/judging/status.ts'
import { changeRate, freshness, STEPS_MS, streamRank, suggestInterval } from '../../core/measures.ts'
import { CONNECTION_END } from '../../core/sets/connection-ends.ts'
import { ENTRY_KIND } from '../../core/sets/entry-kinds.ts'
import { gapSentence } from '../../core/sets/gap-reasons.ts'
import { DEFAULT_PUSH } from '../../core/sets/push-schemes.ts'
import { isPushed, STREAM_KIND, type StreamKind } from '../../core/sets/stream-kinds.ts'
import type { Database } from '../../storage/storage.ts'
import type { Stream } from '../../streams/ingest/run.ts'
import { type Compared, changesOf } from '../../streams/measures/comparisons.ts'
import { lastChangedAt } from '../../streams/measures/last-change.ts'
import { fanoutSums, polledSumsOf, stepsOf, sumsOf, topPaths } from '../../streams/measures/measures.ts'
import { readSavings } from '../../streams/measures/savings.ts'
import { decodedOf, type Entry } from '../../streams/recording/entry.ts'
import { shownPush } from '../../streams/registry/push-settings.ts'
import { retryBudgetOf } from '../../streams/requests/retry-budget.ts'
import type { StreamStatus } from '../../streams/status/status.ts'
import { twinReport } from '../../streams/twins/twin.ts'
import { accessFacts } from './option-form.ts'

/** Characters of an entry's data shown in the log, and in its details. */
const PREVIEW_CHARS = 160
const DETAIL_CHARS = 20_000
/** Maximum number of changed paths shown. */
const PATHS_SHOWN = 8

/** What the table of streams shows of a status. */
export function streamRow(
  { stream, status, reason, purpose, evidence, recent, availability }: StreamStatus,
  lastHour: readonly number[],
  changes: Estimate | null,
): StreamRow {
  const { id, name, url, kind, tags, desired, createdAt } = stream
  return {
    id,
    name,
    url,
    kind,
    tags,
    desired,
    status,
    reason,
    purpose,
    availability,
    lastEventAt: date(evidence.lastEventAt),
    perMinute: perMinute(stream.kind, recent),
    lastHour,
    createdAt,
    bytesPerMinute: recent.wireBytes / recent.minutes,
    changes: changes && { brief: briefly(changes, changes.observedMs), words: changes.words },
  }
}

export function statusView({
  stream,
  status,
  reason,
  statusSince,
  purpose,
  evidence,
  run,
  seq,
  recent,
}: StreamStatus): StatusView {
  const { lastError, certificate } = evidence
  return {
    stream,
    status,
    reason,
    statusSince,
    purpose,
    run,
    entries: seq,
    perMinute: perMinute(stream.kind, recent),
    ...accessFacts(stream),
    evidence: {
      lastByteAt: date(evidence.lastByteAt),
      lastHeartbeatAt: date(evidence.lastHeartbeatAt),
      redirects: evidence.redirects ?? [],
      connections: evidence.connections && connectionsText(evidence.connections),
      lastEnd: evidence.ended && endedView(evidence.ended),
      lastEventAt: date(evidence.lastEventAt),
      lastPollAt: date(evidence.lastPollAt),
      failures: evidence.failures,
      nextRetryAt: date(evidence.nextRetryAt),
      retries: retryBudgetOf(evidence),
      resumes: STREAM_KIND[stream.kind].isPolled
        ? undefined
        : resumesText(stream.resumes, resumesOf(evidence.resumes)),
      certificate: certificate && { expiresAt: new Date(certificate.expiresAt), issuer: certificate.issuer },
      lastError: lastError && { ...lastError, at: new Date(lastError.at) },
    },
  }
}

/** How events are pushed to a stream; undefined if they aren't. */
export function pushView({ stream, evidence }: StreamStatus, now: number): PushView | undefined {
  if (!isPushed(stream.kind)) return undefined
  const { refused } = evidence
  return {
    id: stream.id,
    hasUrl: stream.pushToken !== null,
    settings: shownPush(stream.push) ?? DEFAULT_PUSH,
    refused: refused && {
      lastHour: refusedLately(refused, now),
      reason: refused.last.reason,
      at: new Date(refused.last.at),
    },
  }
}

/** How often a stream changed in the last day. */
export function dayFrequency(
  db: Database,
  stream: Compared & Pick<Stream, 'id'>,
  now: number,
): Promise<Estimate | null> {
  return changesOf(db, stream, { from: new Date(now - STEPS_MS.day), to: new Date(now) })
}

/** Size and change of a stream's last day, and its last hour by the minute. */
export async function measureView(
  db: Database,
  stream: Compared & Pick<Stream, 'id'>,
  now: number,
  reading: Promise<Estimate | null> = dayFrequency(db, stream, now),
): Promise<MeasureView> {
  const to = new Date(now)
  const streamId = stream.id
  const day = { from: new Date(now - STEPS_MS.day), to }
  const [total, estimate, changedAt, hour] = await Promise.all([
    sumsOf(db, { streamId }, day),
    reading,
    lastChangedAt(db, streamId),
    stepsOf(db, { streamId }, { from: new Date(now - STEPS_MS.hour), to, step: 'minute' }),
  ])
  const byMinute = new Map(hour.map((sums) => [sums.at.getTime(), sums]))
  const first = Math.floor((now - STEPS_MS.hour) / STEPS_MS.minute) * STEPS_MS.minute
  const minutes = Array.from({ length: 60 }, (_, index) => {
    const sums = byMinute.get(first + (index + 1) * STEPS_MS.minute)
    return { wireBytes: sums?.wireBytes ?? 0, changed: sums?.changed ?? 0, entries: sums?.entries ?? 0 }
  })
  const isPolled = STREAM_KIND[stream.kind].isPolled
  return {
    total,
    rank: streamRank(total, estimate),
    changeRate: changeRate(total),
    frequency: estimate?.words ?? null,
    missed: isPolled && estimate?.perHour ? missedShare(estimate.perMs, stream.intervalMs) : null,
    intervalMs: isPolled ? stream.intervalMs : null,
    suggestedIntervalMs: isPolled ? suggestInterval(estimate, total.compared) : null,
    lastChangedAt: changedAt,
    minutes,
  }
}

/** What streaming would have saved over the last day; `undefined` for a stream that isn't polled. */
export async function savingsView(
  db: Database,
  { id: streamId, kind }: Pick<Stream, 'id' | 'kind'>,
  now: number,
): Promise<SavingsView | undefined> {
  if (!STREAM_KIND[kind].isPolled) return undefined
  const day = { from: new Date(now - STEPS_MS.day), to: new Date(now) }
  const [sums, saved, sent, paths] = await Promise.all([
    polledSumsOf(db, { streamId }, day),
    readSavings(db, { streamId }, day),
    fanoutSums(db, { streamId }, day),
    topPaths(db, { streamId }, day, PATHS_SHOWN),
  ])
  return {
    saved,
    freshness: freshness(sums),
    sent: sent.connections > 0 ? { ...sent, subscribers: saved?.subscribers ?? 0 } : undefined,
    paths,
  }
}

/** What a stream and its twin received over the last day; `undefined` without a twin. */
export function twinView(db: Database, streamId: string, now: number): Promise<TwinView | undefined> {
  return twinReport(db, streamId, { from: new Date(now - STEPS_MS.day), to: new Date(now) })
}

export function entryRow(entry: Entry): EntryRow {
  return {
    streamId: entry.streamId,
    seq: entry.seq,
    at: new Date(entry.at),
    kind: entry.kind,
    event: entry.event,
    changed: entry.changed,
    status: entry.exchange?.response?.status,
    wireBytes: entry.wireBytes,
    patchBytes: entry.patchBytes,
    preview: (inWords(entry) ?? entry.data ?? '').slice(0, PREVIEW_CHARS),
  }
}

export function entryDetail(entry: Entry): EntryDetail {
  const { data, kind } = entry
  const shown = data !== undefined && ENTRY_KIND[kind].isJson ? indentJson(data, DETAIL_CHARS) : cutText(data)
  return {
    ...entryRow(entry),
    ...decodedOf(entry),
    request: entry.exchange?.request,
    response: entry.exchange?.response,
    content: entry.exchange?.content,
    redirects: entry.exchange?.redirects,
    hash: entry.hash,
    eventId: entry.eventId,
    data: shown.text,
    cut: shown.cut,
    words: inWords(entry),
    body: failedBody(entry),
  }
}

function endedView({ by, at, lastedMs }: NonNullable<Evidence['ended']>) {
  return {
    words: `${CONNECTION_END[by].many}${lastedMs === undefined ? '' : ` after ${span(lastedMs)}`}`,
    at: new Date(at),
  }
}

/** An end, a gap or an error in words. */
export function inWords(entry: Entry): string | undefined {
  if (entry.kind === 'end') return endSentence(parsedData(entry))
  if (entry.kind === 'gap') return gapSentence(parsedData(entry))
  return entry.kind === 'error' ? failureSentence(parsedData(entry)) : undefined
}

/** The body of a failed answer, as it was received. */
function failedBody(entry: Entry): string | undefined {
  if (entry.kind !== 'error') return undefined
  const { body } = (parsedData(entry) ?? {}) as { body?: unknown }
  return typeof body === 'string' ? body.slice(0, DETAIL_CHARS) : undefined
}

/** Data as JSON; `undefined` if it isn't. */
function parsedData({ data }: Entry): Json | undefined {
  try {
    return data === undefined ? undefined : parseJson(data)
  } catch {
    return undefined
  }
}

function cutText(text: string | undefined): { text: string | undefined; cut: boolean } {
  return { text: text?.slice(0, DETAIL_CHARS), cut: (text?.length ?? 0) > DETAIL_CHARS }
}

function perMinute(kind: StreamKind, recent: StreamStatus['recent']): number {
  return recent[STREAM_KIND[kind].counts] / recent.minutes
}

function date(at: number | undefined): Date | undefined {
  return at === undefined ? undefined : new Date(at)
}

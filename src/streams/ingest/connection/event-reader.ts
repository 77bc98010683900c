import { WHOLE_DOCUMENT } from '../../../core/documents/changed-paths.ts'
import { hashDocument, isPatch, type Json, sha256 } from '../../../core/documents/document.ts'
import { TooMuch } from '../../../core/documents/work.ts'
import { continuityOf, countOn, isCounting, isNumbered } from '../../../core/judging/continuity.ts'
import { type Resumes, resumesOf } from '../../../core/judging/resumes.ts'
import type { LargeEvent } from '../../content/sse-parser.ts'
import { type DocumentRefusal, LARGE_CHARS, misfit, STEPS_HERE } from '../../large/documents.ts'
import { asDocument, isLargeText } from '../../large/follower.ts'
import { containerIn } from '../../large/jobs.ts'
import type { StoredEvent } from '../../log/logs.ts'
import { type Draft, storable } from '../../recording/entry.ts'
import { type FollowDeps, recordGap, recover } from '../follow.ts'
import { advanceByPatch, afterKeyframe, type DocumentStep, keyframeDraft } from '../follow-document.ts'
import type { Followed, FollowedText, Run, RunLog } from '../run.ts'
import { UpstreamError } from '../upstream.ts'
import { waitUntil } from '../wait.ts'
import { ReplaySearch } from './replay.ts'
import { learnRhythm } from './silence.ts'

/** Event names that patch-style upstreams use for the whole document. */
const SNAPSHOT_EVENTS = new Set(['snapshot', 'data'])
/** Maximum number of event names whose last data is remembered, to detect whether the next data differs. */
const MAX_REMEMBERED_NAMES = 64
/** Data that arrives this soon after connecting, in milliseconds, counts as the greeting of the connection. */
const GREETING_MS = 1_000
/** Data that arrives after a longer wait, in milliseconds, may have been held up on its way. */
const HELD_UP_MS = 1_000
/** How long, in milliseconds and at most, what follows such data may have been held up with it. */
const MAX_BACKLOG_MS = 60_000
/** Wait before a failed database query is retried, in milliseconds. */
const ASK_AGAIN_MS = 500

type Sizes = Pick<Draft, 'at' | 'wireBytes' | 'bodyBytes'>

interface Received {
  name: string
  data: string
  /** The last ID from the upstream, with this event or an earlier one. */
  lastEventId: string
  /** Whether the event has an ID of its own: one that differs from the one before. */
  hasOwnId: boolean
  /** Of its payload, unless that is its data. */
  bodyBytes: number | undefined
  at: number
  /** What is known of an event that was too large to be kept; it has no data. */
  large?: LargeEvent
}

type Deps = Pick<FollowDeps, 'now' | 'storedEvents' | 'large' | 'pulse'> & {
  limits: Pick<FollowDeps['limits'], 'maxBodyBytes'>
}
type AnyFollowed = Followed | FollowedText
type Later<T> = T | Promise<T>

/** The entry that an event adds to the log. */
interface Told {
  draft: Draft
  /** Stored after the entry; counts since the last keyframe restart with it. */
  keyframe?: { draft: Draft; counts: Pick<Followed, 'patches' | 'patchBytes'> }
}

type LoggedEvent = Told & { lastEventId: string }

/**
 * Turns the events of one connection into entries. A patch-style upstream (a document, then RFC 6902 patches of it)
 * is followed as a document; events that the upstream sends again after a break aren't stored twice.
 */
export class EventReader {
  readonly #run: Run
  readonly #log: RunLog
  readonly #deps: Deps
  readonly #signal: AbortSignal
  /** Bytes not yet attributed to an entry, before and after decompression: framing, comments, the start of an event. */
  #uncharged = { wireBytes: 0, bodyBytes: 0 }
  /** Whether this connection has sent anything. */
  #hasReceived = false
  /** Events of the chunk being read. */
  #received: Received[] = []
  readonly #lastHashes = new Map<string, string>()
  /** The first event of a connection, which may be the document that patches follow. */
  #candidate: string | undefined
  /** Whether the followed document was such an event: that the patches are of it is a guess. */
  #isGuessed = false
  #isFirst = true
  /** Whether events may be repeats: after a break, until the first new event. */
  #mayRepeat = false
  #search: ReplaySearch
  #heartbeat = false
  #livedOn = false
  /** A break after which events may be missing, neither disproved nor recorded as a gap yet. */
  #break: Break | undefined
  #lastId: string | undefined
  /** When data last arrived, by a clock that nobody sets. */
  #lastByte = performance.now()
  /** Until when everything sent was received, once the chunk being read is in the log. */
  #hearing: number | undefined
  /** Data that may have been held up: everything sent before `since` was received. `until` is by the monotonic clock. */
  #backlog: { since: number; until: number } | undefined

  constructor(run: Run, log: RunLog, deps: Deps, signal: AbortSignal) {
    this.#run = run
    this.#log = log
    this.#deps = deps
    this.#signal = signal
    this.#search = new ReplaySearch(run, deps)
  }

  /**
   * The connection is open.
   * @param missing the break since the last connection, if events may be missing. Either the first data of this
   * connection proves that none are missing, or a gap is recorded with it.
   */
  connected(missing: Break | undefined): void {
    this.#break = missing && { ...missing, from: this.#break?.from ?? missing.from }
    this.#lastByte = performance.now()
    this.#backlog = undefined
    this.#hasReceived = false
    this.#isFirst = true
    this.#livedOn = false
    this.#candidate = undefined
    this.#lastId = this.#run.checkpoint.lastEventId
    this.#mayRepeat = this.#lastId !== undefined
    this.#search = new ReplaySearch(this.#run, this.#deps)
  }

  /** A chunk has arrived; its events follow. Its size is given before and after decompression. */
  chunk(wireBytes: number, bodyBytes = wireBytes): void {
    const { evidence } = this.#run
    const now = this.#deps.now()
    this.#uncharged.wireBytes += wireBytes
    this.#uncharged.bodyBytes += bodyBytes
    this.#hasReceived = true
    // A clock that is set forward shows no silence.
    const waitedMs = this.silentMs
    learnRhythm(evidence, now, Math.min(now - (evidence.lastByteAt ?? now), waitedMs))
    this.#lastByte = performance.now()
    evidence.lastByteAt = now
    this.#hearing = Math.min(now - (this.#deps.pulse?.lagMs ?? 0), this.#heldUpSince(now, waitedMs))
    this.#log.seen()
    // The greeting doesn't prove that the connection works; any later byte does, including a heartbeat.
    if (now - evidence.phaseSince > GREETING_MS) this.#livesOn(now)
    this.#heartbeat = true
  }

  /**
   * Since when what arrives now may have been on its way. After a wait, it may be since the chunk before; and for as long as
   * the wait was, what follows may have been held up with it. If the connection breaks meanwhile, the rest is lost.
   */
  #heldUpSince(now: number, waitedMs: number): number {
    if (waitedMs > HELD_UP_MS)
      this.#backlog = { since: now - waitedMs, until: this.#lastByte + Math.min(waitedMs, MAX_BACKLOG_MS) }
    else if (this.#backlog !== undefined && this.#lastByte > this.#backlog.until) this.#backlog = undefined
    return this.#backlog?.since ?? now
  }

  /** What was received and isn't in an entry yet, for the entry that follows. */
  takeUncharged(): Pick<Draft, 'wireBytes' | 'bodyBytes'> {
    const uncharged = this.#uncharged
    this.#uncharged = { wireBytes: 0, bodyBytes: 0 }
    return uncharged
  }

  /** Whether the connection has sent anything. */
  get hasReceived(): boolean {
    return this.#hasReceived
  }

  /** For how long nothing has arrived, in milliseconds. */
  get silentMs(): number {
    return performance.now() - this.#lastByte
  }

  /** The events of the last chunk are in the log, and it didn't end within one. */
  heard(): void {
    this.#run.evidence.heardAt = this.#hearing
  }

  /** Whether data has arrived after the greeting. */
  get livedOn(): boolean {
    return this.#livedOn
  }

  /**
   * @param hasId whether the event itself carries the last ID
   * @param bodyBytes of its payload, unless that is its data
   */
  event(
    name: string,
    data: string,
    lastEventId: string,
    { hasId = lastEventId !== '', bodyBytes }: { hasId?: boolean; bodyBytes?: number | undefined } = {},
  ): void {
    // After a break, the last ID arrives again together with its event.
    const isUnique = this.#mayRepeat || isCounting(this.#run.evidence) || lastEventId !== this.#lastId
    const hasOwnId = hasId && lastEventId !== '' && isUnique
    this.#received.push({ name, data, lastEventId, hasOwnId, bodyBytes, at: this.#deps.now() })
    if (hasOwnId) this.#countIds(lastEventId)
  }

  /** An event that was too large to be kept. */
  large(large: LargeEvent & { event: string }, lastEventId: string, hasId: boolean): void {
    this.event(large.event, '', lastEventId, { hasId })
    const received = this.#received.at(-1)
    if (received !== undefined) received.large = large
  }

  /**
   * Called when the parser is done with a chunk: records its events. The bytes since the previous events are split
   * between them in proportion to their size, so that the bytes of all entries add up to what was received.
   * @returns an error if an event is a patch that doesn't apply: that event and later ones aren't recorded. Returns a
   * promise only if the log or a worker thread is needed, because a promise would usually cost more than the rest
   */
  endOfChunk(): Later<UpstreamError | undefined> {
    const received = this.#received
    this.#received = []
    if (received.length === 0) {
      if (this.#heartbeat) this.#run.evidence.lastHeartbeatAt = this.#run.evidence.lastByteAt
      this.#heartbeat = false
      if (this.#livedOn && !this.#mayShow()) this.#tellGap(this.#deps.now())
      return undefined
    }
    this.#heartbeat = false
    if (!this.#mayRepeat) return this.#logAll(received)
    return this.#withoutRepeats(received).then((fresh) => this.#logAll(fresh))
  }

  #logAll(fresh: readonly Received[]): Later<UpstreamError | undefined> {
    const told: LoggedEvent[] = []
    for (const [at, event] of fresh.entries()) {
      const one = this.#tell(event)
      if (one instanceof Promise) return this.#logOn(fresh.slice(at), told, one)
      if (one instanceof UpstreamError) return this.#append(told, one)
      told.push({ ...one, lastEventId: event.lastEventId })
    }
    return this.#append(told, undefined)
  }

  /** The same, from the first event that needs a worker thread. */
  async #logOn(
    fresh: readonly Received[],
    told: LoggedEvent[],
    first: Promise<Told | UpstreamError>,
  ): Promise<UpstreamError | undefined> {
    for (const [at, event] of fresh.entries()) {
      const one = await (at === 0 ? first : this.#tell(event))
      if (one instanceof UpstreamError) return this.#append(told, one)
      told.push({ ...one, lastEventId: event.lastEventId })
    }
    return this.#append(told, undefined)
  }

  #append(told: readonly LoggedEvent[], error: UpstreamError | undefined): UpstreamError | undefined {
    this.#charge(told.map(({ draft }) => draft))
    if (told[0] !== undefined) this.#tellGap(told[0].draft.at)
    for (const { draft, keyframe, lastEventId } of told) {
      const stored = this.#log.append(draft, { lastEventId: lastEventId || undefined })
      if (!stored && draft.kind !== 'event') this.#run.followed = undefined
      if (keyframe !== undefined && !this.#log.append(keyframe.draft)) this.#countOn(keyframe.counts)
    }
    return error
  }

  /** The keyframe was dropped, so a rebuild still applies the patches before it. */
  #countOn({ patches, patchBytes }: Pick<Followed, 'patches' | 'patchBytes'>): void {
    const { followed } = this.#run
    if (followed === undefined) return
    this.#run.followed = {
      ...followed,
      patches: followed.patches + patches,
      patchBytes: followed.patchBytes + patchBytes,
    }
  }

  #tellGap(at: number): void {
    if (this.#break === undefined) return
    const { from, to, isResumed } = this.#break
    const isTrusted = isResumed && this.#run.stream.resumes
    if (isResumed) this.#countResume(isTrusted ? 'trusted' : 'unproven')
    if (!isTrusted) recordGap(this.#log, isResumed ? 'resume_unproven' : 'no_last_event_id', { from, to }, at)
    this.#closeBreak()
  }

  /** Whether the next event may prove that nothing is missing, however late it arrives. */
  #mayShow(): boolean {
    return this.#break?.isResumed === true && isNumbered(this.#run.checkpoint.lastEventId)
  }

  #closeBreak(): void {
    this.#break = undefined
    this.#run.evidence.missedSince = undefined
    this.#log.turned()
  }

  #countResume(result: keyof Resumes): void {
    const { evidence } = this.#run
    const resumes = resumesOf(evidence.resumes)
    evidence.resumes = { ...resumes, [result]: resumes[result] + 1 }
  }

  #livesOn(now: number): void {
    this.#run.evidence.silences = 0
    if (this.#livedOn) return
    this.#livedOn = true
    if (!this.#break?.isResumed) this.#tellGap(now)
    recover(this.#run, this.#log, now)
  }

  #charge(drafts: readonly Draft[]): void {
    if (drafts.length === 0) return
    const { wireBytes, bodyBytes } = this.takeUncharged()
    const weights = drafts.map((draft) => draft.bodyBytes + 1)
    const [wire, body] = [shares(wireBytes, weights), shares(bodyBytes, weights)]
    for (const [index, draft] of drafts.entries()) {
      draft.wireBytes = wire[index] ?? 0
      // Never less than the data: a keyframe is recognized by having none.
      draft.bodyBytes = Math.max(draft.bodyBytes, body[index] ?? 0)
    }
  }

  #tell(event: Received): Later<Told | UpstreamError> {
    const told = this.#read(event)
    return told instanceof Promise ? told.then((late) => this.#named(late, event)) : this.#named(told, event)
  }

  #named(told: Told | UpstreamError, { name, lastEventId, hasOwnId, at }: Received): Told | UpstreamError {
    if (told instanceof UpstreamError) return told
    const { draft } = told
    this.#run.evidence.lastEventAt = at
    this.#isFirst = false
    if (name !== 'message') draft.event = name
    if (hasOwnId) draft.eventId = lastEventId
    return told
  }

  /** Drops events that are already stored; the first new one ends the search and reveals whether IDs are missing. */
  async #withoutRepeats(received: readonly Received[]): Promise<Received[]> {
    const { evidence } = this.#run
    const ids = received.filter((event) => event.hasOwnId).map((event) => event.lastEventId)
    const stored = ids.length === 0 ? new Map<string, StoredEvent>() : await this.#stored(ids)
    // The run ended first: the next run resumes from the checkpoint and gets these events again.
    if (stored === undefined) return []
    const first = received.findIndex((event) => !isRepeat(event, stored.get(event.lastEventId)))
    const repeats = first < 0 ? received.length : first
    evidence.replayed = (evidence.replayed ?? 0) + repeats
    // A replay up to the last event leaves nothing out; earlier events alone, such as a greeting, don't show that.
    const lastId = this.#run.checkpoint.lastEventId
    if (received.slice(0, repeats).some(({ lastEventId }) => lastEventId === lastId)) this.#prove()
    if (first < 0) return []
    this.#mayRepeat = false
    this.#compareIds(received[first] as Received)
    return received.slice(first)
  }

  /** Reads the log, once everything received is in it; the stream waits while the database is unreachable. */
  async #stored(ids: readonly string[]): Promise<Map<string, StoredEvent> | undefined> {
    const { now } = this.#deps
    while (!this.#signal.aborted) {
      try {
        await this.#log.durable(this.#signal)
        return await this.#search.find(ids)
      } catch {
        await waitUntil(now() + ASK_AGAIN_MS, this.#signal, now)
      }
    }
    return undefined
  }

  /** Nothing is missing since the break. */
  #prove(): void {
    if (!this.#break?.isResumed) return
    this.#countResume('proven')
    this.#closeBreak()
  }

  /** Checks whether the first new event after a break follows the last one; missing IDs are recorded as a gap. */
  #compareIds({ lastEventId, hasOwnId, at }: Received): void {
    const { evidence, checkpoint, stream } = this.#run
    const lastId = checkpoint.lastEventId
    // IDs from Weir's own proxy are positions in its log, where not every entry is a change.
    if (!hasOwnId || lastId === undefined || stream.via !== null) return
    const shown = continuityOf(evidence, lastId, lastEventId)
    if (shown === 'follows') this.#prove()
    if (typeof shown === 'string') return
    recordGap(this.#log, 'missing_ids', { from: evidence.lastEventAt ?? at, to: at }, at, shown)
    if (this.#break === undefined) return
    this.#countResume('missed')
    this.#closeBreak()
  }

  #countIds(id: string): void {
    const last = this.#lastId
    this.#lastId = id
    // After a break any ID may follow, so only IDs without a break in between show how the upstream counts.
    if (this.#mayRepeat) return
    Object.assign(this.#run.evidence, countOn(this.#run.evidence, last ?? '', id))
  }

  #read(event: Received): Later<Told | UpstreamError> {
    const { name, data, at } = event
    if (event.large !== undefined) return this.#readTooLarge(name, event.large, at)
    const base = { at, wireBytes: 0, bodyBytes: event.bodyBytes ?? Buffer.byteLength(data) }
    const isSnapshot = SNAPSHOT_EVENTS.has(name)
    const isPatch = looksLikePatch(data)
    if ((isSnapshot || isPatch) && (data.length > LARGE_CHARS || isLargeText(this.#run.followed))) {
      return this.#readLarge(event, base, isSnapshot, isPatch)
    }
    if (isSnapshot) {
      const read = readDocument(data)
      if (read !== undefined) return { draft: this.#snapshot(read, data, base) }
    }
    const told = isPatch ? this.#patch(data, base) : undefined
    if (told instanceof Promise) return told.then((late) => late ?? this.#event(name, data, base))
    return told ?? this.#event(name, data, base)
  }

  /** What was too large costs itself alone: the events after it are read. */
  #readTooLarge(name: string, { bytes, hash }: LargeEvent, at: number): Told | UpstreamError {
    const { evidence, followed } = this.#run
    const { maxBodyBytes } = this.#deps.limits
    // Of one that says its length, less may have been read.
    const size = hash === undefined ? `at least ${Math.max(bytes, maxBodyBytes + 1)}` : bytes
    const message = `An event of ${size} bytes was skipped: it's larger than ${maxBodyBytes} bytes.`
    evidence.lastError = { code: 'too_large', message, at }
    this.#log.turned()
    this.#candidate = undefined
    if (followed !== undefined && name === 'patch') return tooLargePatch(message, hash)
    // Later patches are of a document that isn't known.
    if (SNAPSHOT_EVENTS.has(name) || this.#isGuessed) this.#run.followed = undefined
    const data = JSON.stringify({ code: 'too_large', message, bytes })
    return { draft: { at, kind: 'error', wireBytes: 0, bodyBytes: bytes, hash, data } }
  }

  /** The same in a worker thread. */
  async #readLarge(
    { name, data }: Received,
    base: Sizes,
    isSnapshot: boolean,
    isPatch: boolean,
  ): Promise<Told | UpstreamError> {
    if (isSnapshot) {
      const hash = await this.#deps.large.hash(data, this.#signal)
      if (hash !== undefined) return { draft: this.#snapshot({ text: data, hash }, data, base) }
    }
    const told = isPatch ? await this.#patchLarge(data, base, await this.#lastDocument()) : undefined
    return told ?? this.#event(name, data, base)
  }

  #event(name: string, data: string, base: Sizes): Told {
    if (this.#isFirst) this.#candidate = data
    return { draft: { ...base, kind: 'event', data, ...this.#compare(name, data) } }
  }

  #snapshot(read: ReadDocument, data: string, base: Sizes): Draft {
    const { hash } = read
    const changed = this.#run.followed === undefined ? undefined : this.#run.followed.hash !== hash
    this.#run.followed = { ...read, patches: 0, patchBytes: 0 }
    this.#candidate = undefined
    this.#isGuessed = false
    const patchBytes = changed === false ? 0 : undefined
    const paths = changed ? [WHOLE_DOCUMENT] : undefined
    return {
      ...base,
      kind: 'snapshot',
      hash,
      data,
      changed,
      patchBytes,
      snapshotBytes: base.bodyBytes,
      paths,
    }
  }

  /** The entry of an upstream's patch; `undefined` if there is no document to apply it to. */
  #patch(data: string, base: Sizes): Later<Told | UpstreamError | undefined> {
    if ((this.#candidate?.length ?? 0) > LARGE_CHARS) {
      return this.#lastDocument().then((last) => this.#patchLarge(data, base, last))
    }
    const operations = containerIn(data)
    if (!isPatch(operations)) return undefined
    const candidate = this.#run.followed === undefined ? readDocument(this.#candidate ?? '') : undefined
    const last = candidate ? { ...candidate, patches: 0, patchBytes: 0 } : this.#run.followed
    if (last === undefined) return undefined
    const isStored = candidate === undefined
    try {
      const bounds = { maxBytes: LARGE_CHARS, maxSteps: STEPS_HERE }
      const step = advanceByPatch(asDocument(last), operations, data, isStored, bounds)
      return this.#patched(step, base, isStored)
    } catch (error) {
      // Too much work for the main thread, but perhaps not for a worker thread.
      const tooMuch = error instanceof TooMuch ? error.what : undefined
      if (tooMuch === 'steps' || tooMuch === 'bytes') return this.#patchLarge(data, base, { last, isStored })
      return this.#refused(misfit((error as Error).message, tooMuch), isStored)
    }
  }

  /**
   * A patch that doesn't apply to what only may be its document is no patch of it: it may be the upstream's own journal,
   * whose events are logged as they are.
   */
  #refused(refusal: DocumentRefusal, isStored: boolean): UpstreamError | undefined {
    if (isStored && !this.#isGuessed) return refused(refusal)
    this.#run.followed = undefined
    this.#candidate = undefined
    this.#isGuessed = false
    return undefined
  }

  async #patchLarge(
    data: string,
    base: Sizes,
    from: LastDocument | undefined,
  ): Promise<Told | UpstreamError | undefined> {
    if (from === undefined) return undefined
    const { large, limits } = this.#deps
    const { last, isStored } = from
    const step = await large.advanceByPatch(
      last,
      data,
      { maxBytes: limits.maxBodyBytes, isStored },
      this.#signal,
    )
    if (step === undefined) return undefined
    return 'code' in step ? this.#refused(step, isStored) : this.#patched(step, base, isStored)
  }

  #patched(step: DocumentStep<AnyFollowed>, base: Sizes, isStored: boolean): Told {
    this.#candidate = undefined
    this.#isGuessed ||= !isStored
    const { kind, changed, patchBytes, snapshotBytes, paths, followed } = step
    const { hash, patches, patchBytes: allPatchBytes } = followed
    const keyframe = keyframeDraft(base.at, step)
    this.#run.followed = keyframe === undefined ? followed : afterKeyframe(followed)
    return {
      draft: { ...base, kind, changed, patchBytes, snapshotBytes, hash, data: step.data, paths },
      keyframe: keyframe && { draft: keyframe, counts: { patches, patchBytes: allPatchBytes } },
    }
  }

  /** The document to apply a patch to: the followed one, or else the first event of the connection. */
  async #lastDocument(): Promise<LastDocument | undefined> {
    const { followed } = this.#run
    if (followed !== undefined) return { last: followed, isStored: true }
    if (this.#candidate === undefined) return undefined
    const text = this.#candidate
    const hash = await this.#deps.large.hash(text, this.#signal)
    return hash === undefined
      ? undefined
      : { last: { text, hash, patches: 0, patchBytes: 0 }, isStored: false }
  }

  #compare(name: string, data: string): Pick<Draft, 'hash' | 'changed'> {
    const hash = sha256(data)
    const last = this.#lastHashes.get(name)
    if (last !== undefined || this.#lastHashes.size < MAX_REMEMBERED_NAMES) this.#lastHashes.set(name, hash)
    return { hash, changed: last === undefined ? undefined : last !== hash }
  }
}

/** Whole parts of a total in proportion to their weights, which add up to it. */
function shares(total: number, weights: readonly number[]): number[] {
  const sum = weights.reduce((all, weight) => all + weight, 0)
  const parts = weights.map((weight) => Math.floor((total * weight) / sum))
  parts[parts.length - 1] = total - parts.slice(0, -1).reduce((all, part) => all + part, 0)
  return parts
}

function looksLikePatch(data: string): boolean {
  return data.startsWith('[') && data.includes('"op"')
}

/** The entry may contain a document although the upstream sent a patch; then only the ID is compared. */
function isRepeat({ data, hasOwnId }: Received, stored: StoredEvent | undefined): boolean {
  if (stored === undefined || !hasOwnId) return false
  return stored.kind !== 'event' || stored.md5 === md5(storable(data))
}

function md5(text: string): string {
  return new Bun.CryptoHasher('md5').update(text).digest('hex')
}

/** The period in which an event stream wasn't connected, in milliseconds since the epoch. */
export interface Break {
  from: number
  to: number
  /** Whether the upstream was asked to resume. */
  isResumed: boolean
}

/** A document to apply a patch to, and whether the log has it. */
interface LastDocument {
  last: AnyFollowed
  isStored: boolean
}

type ReadDocument = { hash: string } & ({ document: Json } | { text: string })

/** The text as a document; `undefined` if it isn't one, or is nested too deeply. */
function readDocument(text: string): { document: Json; hash: string } | undefined {
  const document = containerIn(text)
  if (document === undefined) return undefined
  try {
    return { document, hash: hashDocument(document) }
  } catch {
    return undefined
  }
}

/** Without it, later patches don't apply: a new document is needed. */
function tooLargePatch(message: string, hash: string | undefined): UpstreamError {
  const error = new UpstreamError('too_large', message)
  error.body = { ...(hash !== undefined && { hash }), isTruncated: true }
  return error
}

function refused({ code, message }: DocumentRefusal): UpstreamError {
  return new UpstreamError(code, message)
}

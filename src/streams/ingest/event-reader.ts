import { WHOLE_DOCUMENT } from '../../core/documents/changed-paths.ts'
import { hashDocument, isPatch, type Json, sha256 } from '../../core/documents/document.ts'
import { TooMuch } from '../../core/documents/work.ts'
import { LARGE_CHARS, misfit, type Refusal, STEPS_HERE } from '../large/documents.ts'
import { asDocument, isLargeText } from '../large/follower.ts'
import { containerIn } from '../large/jobs.ts'
import type { StoredEvent } from '../log/logs.ts'
import { type Draft, storable } from '../recording/entry.ts'
import { type FollowDeps, recover, tellGap } from './follow.ts'
import { advanceByPatch, afterKeyframe, keyframeDraft, type Step } from './follow-document.ts'
import type { Followed, FollowedText, Run, RunLog } from './run.ts'
import { learnRhythm } from './silence.ts'
import { UpstreamError } from './upstream.ts'
import { waitUntil } from './wait.ts'

/** Event names under which patch-style upstreams send the whole document. */
const SNAPSHOT_EVENTS = new Set(['snapshot', 'data'])
/** Of this many event names the last data is remembered, to tell whether the next one differs. */
const MAX_REMEMBERED_NAMES = 64
/** An upstream is taken to count its events after so many ids that were each one more than the last. */
const COUNTING_IDS = 10
/** What comes within this long of a connection, in milliseconds, is its greeting. */
const GREETING_MS = 1_000
/** Wait before the database is asked again, in milliseconds. */
const ASK_AGAIN_MS = 500

type Sizes = Pick<Draft, 'at' | 'wireBytes' | 'bodyBytes'>

interface Received {
  name: string
  data: string
  /** The last id the upstream gave, with this event or with one before. */
  lastEventId: string
  /** Whether the event came with an id that is its own: one that differs from the one before. */
  hasOwnId: boolean
  at: number
}

type Deps = Pick<FollowDeps, 'now' | 'storedEvents' | 'large'> & {
  limits: Pick<FollowDeps['limits'], 'maxBodyBytes'>
}
type AnyFollowed = Followed | FollowedText
type Later<T> = T | Promise<T>

/** What an event has to say. */
interface Told {
  draft: Draft
  /** Follows the entry, with the counts that begin again with it. */
  keyframe?: { draft: Draft; counts: Pick<Followed, 'patches' | 'patchBytes'> }
}

type LoggedEvent = Told & { lastEventId: string }

/**
 * Turns the events of one connection into entries. A patch-style upstream (a document, then RFC 6902 patches of it)
 * is followed as a document; what an upstream sends again after a break is not stored again.
 */
export class EventReader {
  readonly #run: Run
  readonly #log: RunLog
  readonly #deps: Deps
  readonly #signal: AbortSignal
  /** Bytes that no entry has been charged with yet: framing, comments, the beginning of an event. */
  #unchargedBytes = 0
  /** Events of the chunk being read. */
  #received: Received[] = []
  readonly #lastHashes = new Map<string, string>()
  /** The first event of a connection, which may be the document that patches follow. */
  #candidate: string | undefined
  #isFirst = true
  /** Whether what comes may have come before: after a break, until the first event that is new. */
  #mayRepeat = false
  #heartbeat = false
  #livedOn = false
  #gapFrom: number | undefined
  #lastId: string | undefined

  constructor(run: Run, log: RunLog, deps: Deps, signal: AbortSignal) {
    this.#run = run
    this.#log = log
    this.#deps = deps
    this.#signal = signal
  }

  /**
   * A connection stands.
   * @param gapFrom when the stream was last heard, if what came since can't be asked for, in milliseconds since the
   *   epoch. What the upstream has to say to this connection begins with what comes on it, not with its opening.
   */
  connected(gapFrom: number | undefined): void {
    this.#gapFrom ??= gapFrom
    this.#unchargedBytes = 0
    this.#isFirst = true
    this.#livedOn = false
    this.#candidate = undefined
    this.#lastId = this.#run.checkpoint.lastEventId
    this.#mayRepeat = this.#lastId !== undefined
  }

  /** A chunk has come, and its events will. */
  chunk(bytes: number): void {
    const { evidence } = this.#run
    const now = this.#deps.now()
    this.#unchargedBytes += bytes
    learnRhythm(evidence, now)
    evidence.lastByteAt = now
    this.#log.seen()
    // What comes with the connection itself doesn't show that it lives on; any later byte does, heartbeats too.
    if (now - evidence.phaseSince > GREETING_MS) this.#livesOn(now)
    this.#heartbeat = true
  }

  /** Whether the connection has shown that it is more than a greeting. */
  get livedOn(): boolean {
    return this.#livedOn
  }

  /** @param hasId whether the event came with the last id itself */
  event(name: string, data: string, lastEventId: string, hasId = lastEventId !== ''): void {
    const counts = (this.#run.evidence.consecutiveIds ?? 0) >= COUNTING_IDS
    const hasOwnId = hasId && lastEventId !== '' && (counts || lastEventId !== this.#lastId)
    this.#received.push({ name, data, lastEventId, hasOwnId, at: this.#deps.now() })
    if (hasOwnId) this.#countIds(lastEventId)
  }

  /**
   * The parser is done with a chunk: logs its events. They are charged with the bytes since the last ones, in
   * proportion to their size, so that the entries' wire bytes add up to what was received.
   * @returns an error when one of them is a patch that doesn't fit the document: it and what follows is not logged;
   *   a promise of it where the log has to be asked first, or a worker, as it would cost more than the rest most of the
   *   time
   */
  endOfChunk(): Later<UpstreamError | undefined> {
    const received = this.#received
    this.#received = []
    if (received.length === 0) {
      if (this.#heartbeat) this.#run.evidence.lastHeartbeatAt = this.#run.evidence.lastByteAt
      this.#heartbeat = false
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

  /** The same from an event on that a worker has to read. */
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
    if (told[0] !== undefined) this.#closeGap(told[0].draft.at)
    for (const { draft, keyframe, lastEventId } of told) {
      const stored = this.#log.append(draft, { lastEventId: lastEventId || undefined })
      if (!stored && draft.kind !== 'event') this.#run.followed = undefined
      if (keyframe !== undefined && !this.#log.append(keyframe.draft)) this.#countOn(keyframe.counts)
    }
    return error
  }

  /** Without the keyframe, a rebuild still applies the patches before it. */
  #countOn({ patches, patchBytes }: Pick<Followed, 'patches' | 'patchBytes'>): void {
    const { followed } = this.#run
    if (followed === undefined) return
    this.#run.followed = {
      ...followed,
      patches: followed.patches + patches,
      patchBytes: followed.patchBytes + patchBytes,
    }
  }

  #closeGap(at: number): void {
    if (this.#gapFrom === undefined) return
    tellGap(this.#log, 'no_last_event_id', this.#gapFrom, at)
    this.#gapFrom = undefined
    this.#run.evidence.missedSince = undefined
    this.#log.turned()
  }

  #livesOn(now: number): void {
    this.#run.evidence.silences = 0
    if (this.#livedOn) return
    this.#livedOn = true
    this.#closeGap(now)
    recover(this.#run, this.#log, now)
  }

  #charge(drafts: readonly Draft[]): void {
    if (drafts.length === 0) return
    const bodyBytes = drafts.reduce((sum, draft) => sum + draft.bodyBytes, 0)
    let left = this.#unchargedBytes
    for (const [index, draft] of drafts.entries()) {
      const share = Math.floor((this.#unchargedBytes * (draft.bodyBytes + 1)) / (bodyBytes + drafts.length))
      draft.wireBytes = index === drafts.length - 1 ? left : share
      left -= share
    }
    this.#unchargedBytes = 0
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

  /** Leaves out what is stored already; the first event that isn't ends the search, and shows whether ids are missing. */
  async #withoutRepeats(received: readonly Received[]): Promise<Received[]> {
    const { evidence } = this.#run
    const ids = received.filter((event) => event.hasOwnId).map((event) => event.lastEventId)
    const stored = ids.length === 0 ? new Map<string, StoredEvent>() : await this.#stored(ids)
    // The run ends before it could be known: whoever goes on from the checkpoint will be sent these events again.
    if (stored === undefined) return []
    const first = received.findIndex((event) => !isRepeat(event, stored.get(event.lastEventId)))
    evidence.replayed = (evidence.replayed ?? 0) + (first < 0 ? received.length : first)
    if (first < 0) return []
    this.#mayRepeat = false
    this.#tellMissing(received[first] as Received)
    return received.slice(first)
  }

  /** Asks the log, once all that was received is in it; while the database is away, the stream waits. */
  async #stored(ids: readonly string[]): Promise<Map<string, StoredEvent> | undefined> {
    const { now, storedEvents } = this.#deps
    while (!this.#signal.aborted) {
      try {
        await this.#log.durable(this.#signal)
        return await storedEvents(this.#run.stream.id, ids)
      } catch {
        await waitUntil(now() + ASK_AGAIN_MS, this.#signal, now)
      }
    }
    return undefined
  }

  /** Says so when an upstream that counts its events by one goes on further than it should. */
  #tellMissing({ lastEventId, hasOwnId, at }: Received): void {
    const { evidence, checkpoint } = this.#run
    if (!hasOwnId) return
    const [last, next] = [Number(checkpoint.lastEventId), Number(lastEventId)]
    if ((evidence.consecutiveIds ?? 0) < COUNTING_IDS || !(next > last + 1)) return
    const missing = { firstId: String(last + 1), lastId: String(next - 1), count: next - last - 1 }
    tellGap(this.#log, 'missing_ids', evidence.lastEventAt ?? at, at, missing)
  }

  #countIds(id: string): void {
    const { evidence } = this.#run
    const follows = /^\d{1,15}$/.test(id) && Number(id) === Number(this.#lastId ?? Number.NaN) + 1
    // After a break anything may come; only what follows without one shows how the upstream counts.
    if (this.#mayRepeat) {
      this.#lastId = id
      return
    }
    evidence.consecutiveIds = follows ? (evidence.consecutiveIds ?? 0) + 1 : 0
    this.#lastId = id
  }

  #read(event: Received): Later<Told | UpstreamError> {
    const { name, data, at } = event
    const base = { at, wireBytes: 0, bodyBytes: Buffer.byteLength(data) }
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

  /** The same by a worker. */
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

  /** The entry of an upstream's patch; `undefined` when there is no document that it could be a patch of. */
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
      return this.#patched(advanceByPatch(asDocument(last), operations, data, isStored, bounds), base)
    } catch (error) {
      // What is too much for here may do elsewhere.
      const tooMuch = error instanceof TooMuch ? error.what : undefined
      if (tooMuch === 'steps' || tooMuch === 'bytes') return this.#patchLarge(data, base, { last, isStored })
      return refused(misfit((error as Error).message, tooMuch))
    }
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
    return 'code' in step ? refused(step) : this.#patched(step, base)
  }

  #patched(step: Step<AnyFollowed>, base: Sizes): Told {
    this.#candidate = undefined
    const { kind, changed, patchBytes, snapshotBytes, paths, followed } = step
    const { hash, patches, patchBytes: allPatchBytes } = followed
    const keyframe = keyframeDraft(base.at, step)
    this.#run.followed = keyframe === undefined ? followed : afterKeyframe(followed)
    return {
      draft: { ...base, kind, changed, patchBytes, snapshotBytes, hash, data: step.data, paths },
      keyframe: keyframe && { draft: keyframe, counts: { patches, patchBytes: allPatchBytes } },
    }
  }

  /** What a patch could be of: the document that is followed, or else the one that the connection began with. */
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

function looksLikePatch(data: string): boolean {
  return data.startsWith('[') && data.includes('"op"')
}

/** A document's entry may hold the document where the upstream sent a patch: there the id has to do. */
function isRepeat({ data, hasOwnId }: Received, stored: StoredEvent | undefined): boolean {
  if (stored === undefined || !hasOwnId) return false
  return stored.kind !== 'event' || stored.md5 === md5(storable(data))
}

function md5(text: string): string {
  return new Bun.CryptoHasher('md5').update(text).digest('hex')
}

/** A document that a patch could be of, and whether the log holds it. */
interface LastDocument {
  last: AnyFollowed
  isStored: boolean
}

type ReadDocument = { hash: string } & ({ document: Json } | { text: string })

/** The document that the text is; `undefined` when it is none, or nested too deeply to be followed. */
function readDocument(text: string): { document: Json; hash: string } | undefined {
  const document = containerIn(text)
  if (document === undefined) return undefined
  try {
    return { document, hash: hashDocument(document) }
  } catch {
    return undefined
  }
}

function refused({ code, message }: Refusal): UpstreamError {
  return new UpstreamError(code, message)
}

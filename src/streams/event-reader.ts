import { hashDocument, isPatch, type Json, sha256 } from '../core/document.ts'
import type { Draft } from './entry.ts'
import { advanceByPatch } from './follow-document.ts'
import type { Run, RunLog } from './run.ts'
import { UpstreamError } from './upstream.ts'

/** Event names under which patch-style upstreams send the whole document. */
const SNAPSHOT_EVENTS = new Set(['snapshot', 'data'])
/** Of this many event names the last data is remembered, to tell whether the next one differs. */
const MAX_REMEMBERED_NAMES = 64

type Sizes = Pick<Draft, 'at' | 'wireBytes' | 'bodyBytes'>

/**
 * Turns the events of one connection into entries. A patch-style upstream (a document, then RFC 6902 patches of it)
 * is followed as a document.
 */
export class EventReader {
  readonly #run: Run
  readonly #log: RunLog
  readonly #now: () => number
  /** Bytes that no entry has been charged with yet: framing, comments, the beginning of an event. */
  #unchargedBytes = 0
  /** Events of the chunk being read; charged together when it ends. */
  #events: { draft: Draft; checkpoint: { lastEventId?: string } }[] = []
  readonly #lastHashes = new Map<string, string>()
  /** The first event of a connection, which may be the document that patches follow. */
  #candidate: string | undefined
  #isFirst = true
  #heartbeat = false

  constructor(run: Run, log: RunLog, now: () => number) {
    this.#run = run
    this.#log = log
    this.#now = now
  }

  connected(): void {
    this.#unchargedBytes = 0
    this.#isFirst = true
    this.#candidate = undefined
  }

  /** A chunk has come, and its events will. */
  chunk(bytes: number): void {
    this.#unchargedBytes += bytes
    this.#run.evidence.lastByteAt = this.#now()
    this.#heartbeat = true
  }

  /** @returns an error when the event is a patch that doesn't fit the document; it is not logged then. */
  event(name: string, data: string, lastEventId: string): UpstreamError | undefined {
    const { evidence } = this.#run
    const at = this.#now()
    evidence.lastEventAt = at
    this.#heartbeat = false
    const draft = this.#read(name, data, at)
    if (draft instanceof UpstreamError) return draft
    if (name !== 'message') draft.event = name
    if (lastEventId !== '') draft.eventId = lastEventId
    this.#events.push({ draft, checkpoint: { lastEventId: lastEventId || undefined } })
    this.#isFirst = false
    return undefined
  }

  /**
   * The parser is done with a chunk: its events are charged with the bytes since the last ones, in proportion to
   * their size, so that the entries' wire bytes add up to what was received.
   */
  endOfChunk(): void {
    if (this.#events.length === 0) {
      if (this.#heartbeat) this.#run.evidence.lastHeartbeatAt = this.#run.evidence.lastByteAt
      this.#heartbeat = false
      return
    }
    const events = this.#events
    this.#events = []
    const bodyBytes = events.reduce((sum, { draft }) => sum + draft.bodyBytes, 0)
    let left = this.#unchargedBytes
    for (const [index, { draft, checkpoint }] of events.entries()) {
      const share = Math.floor((this.#unchargedBytes * (draft.bodyBytes + 1)) / (bodyBytes + events.length))
      draft.wireBytes = index === events.length - 1 ? left : share
      left -= share
      const stored = this.#log.append(draft, checkpoint)
      if (!stored && draft.kind !== 'event') this.#run.followed = undefined
    }
    this.#unchargedBytes = 0
  }

  #read(name: string, data: string, at: number): Draft | UpstreamError {
    const base = { at, wireBytes: 0, bodyBytes: Buffer.byteLength(data) }
    if (SNAPSHOT_EVENTS.has(name)) {
      const read = readDocument(data)
      if (read !== undefined) return this.#snapshot(read, data, base)
    }
    if (looksLikePatch(data)) {
      const draft = this.#patch(data, base)
      if (draft !== undefined) return draft
    }
    if (this.#isFirst) this.#candidate = data
    return { ...base, kind: 'event', data, ...this.#compare(name, data) }
  }

  #snapshot({ document, hash }: ReadDocument, data: string, base: Sizes): Draft {
    const changed = this.#run.followed === undefined ? undefined : this.#run.followed.hash !== hash
    this.#run.followed = { document, hash, patches: 0, patchBytes: 0 }
    this.#candidate = undefined
    return { ...base, kind: 'snapshot', hash, data, changed }
  }

  /** The entry of an upstream's patch; `undefined` when there is no document that it could be a patch of. */
  #patch(data: string, base: Sizes): Draft | UpstreamError | undefined {
    const operations = parseContainer(data)
    if (!isPatch(operations)) return undefined
    const candidate = this.#run.followed === undefined ? readDocument(this.#candidate ?? '') : undefined
    const last = candidate
      ? { ...candidate, patches: Number.POSITIVE_INFINITY, patchBytes: 0 }
      : this.#run.followed
    if (last === undefined) return undefined
    try {
      // The infinite count of a candidate makes this step a snapshot: the log holds none to patch yet.
      const step = advanceByPatch(last, operations, data)
      this.#run.followed = step.followed
      this.#candidate = undefined
      return {
        ...base,
        kind: step.kind,
        changed: step.changed,
        patchBytes: step.patchBytes,
        hash: step.followed.hash,
        data: step.data,
      }
    } catch (error) {
      return new UpstreamError('bad_patch', `A patch doesn't fit: ${(error as Error).message.split('\n')[0]}`)
    }
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

interface ReadDocument {
  document: Json
  hash: string
}

/** The document that the text is; `undefined` when it is none, or nested too deeply to be followed. */
function readDocument(text: string): ReadDocument | undefined {
  const document = parseContainer(text)
  if (document === undefined) return undefined
  try {
    return { document, hash: hashDocument(document) }
  } catch {
    return undefined
  }
}

/** The object or array that the text is; `undefined` for anything else. */
function parseContainer(text: string): Json | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

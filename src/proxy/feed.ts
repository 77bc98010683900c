import { eq } from 'drizzle-orm'
import { checkpoints } from '../../drizzle/schema.ts'
import { stringifyJson } from '../core/documents/json.ts'
import { VERSION_KINDS } from '../core/sets/entry-kinds.ts'
import { Frame, type TopicMessage } from '../hub/frame.ts'
import type { Hub, Send } from '../hub/hub.ts'
import type { Database } from '../storage/storage.ts'
import { readChainTexts, versionsIn } from '../streams/documents/versions.ts'
import { rebuild } from '../streams/ingest/follow-document.ts'
import { LARGE_CHARS, type LargeDocuments } from '../streams/large/documents.ts'
import { readEntry, readLog, readWholeLog } from '../streams/log/logs.ts'
import { type Entry, isKeyframe } from '../streams/recording/entry.ts'
import { proxyTopic } from '../topics.ts'
import { proxyErrorOf } from './errors.ts'
import type { Mode } from './target.ts'

/** A subscriber that missed more than this, in changes and in bytes, gets the current document instead. */
const MAX_REPLAY_CHANGES = 1_000
const MAX_REPLAY_BYTES = 1_048_576

/** How often a worker rebuilds the document because more changes arrived; the rest is applied at once. */
const CATCH_UP_ROUNDS = 3

export interface FeedDeps {
  db: Database
  hub: Hub
  large: Pick<LargeDocuments, 'rebuild'>
  warn(message: string): void
}

/**
 * The document of one proxied stream, as sent to its subscribers in this process. Takes the stream's entries in order
 * of `seq`, and encodes one frame of each for all subscribers with the same mode.
 */
export class ProxyFeed {
  readonly streamId: string
  readonly #deps: FeedDeps
  /** Distinguishes the stream's IDs from those of an earlier stream with the same URL. */
  readonly #tag: string
  /** Last entry processed. */
  #seq = 0
  /** The document's text, and the patches since: they are applied when somebody needs the whole document. */
  #text: string | undefined
  #patches: string[] = []
  /** The error that the stream hasn't recovered from. */
  #failure: Entry | undefined
  /** Documents that a worker rebuilds are published in order, and so is everything after them. */
  #publishing: Promise<void> | undefined
  #reading: Promise<void> | undefined
  /** Whether something was stored since the log was last read. */
  #isBehind = false
  /** What a new subscriber gets, made once per entry. */
  #greeting: Frame | undefined

  /** Opens a stream's feed at the current end of its log. */
  static async open(streamId: string, deps: FeedDeps): Promise<ProxyFeed> {
    const feed = new ProxyFeed(streamId, deps)
    await feed.#load()
    return feed
  }

  private constructor(streamId: string, deps: FeedDeps) {
    this.streamId = streamId
    this.#deps = deps
    this.#tag = streamId.slice(-8)
  }

  get seq(): number {
    return this.#seq
  }

  /** Processes a stored entry. If entries are missing before it, the feed reads them. */
  stored(entry: Entry): void {
    if (entry.seq <= this.#seq) return
    if (entry.seq === this.#seq + 1 && this.#reading === undefined) this.#take(entry)
    else {
      this.#isBehind = true
      void this.#readOn()
    }
  }

  /**
   * Sends a new subscriber its first messages: the document, the events missed since its last ID, or a gap.
   * @returns whether that was a snapshot
   */
  async begin(mode: Mode, lastEventId: string | undefined, send: Send): Promise<boolean> {
    if (lastEventId === undefined) return this.#greet(mode, send)
    const from = this.#seqOf(lastEventId)
    if (from === undefined) return this.#startOver(lastEventId, 'unknown_id', send)
    const missed = await this.#missed(from)
    if (typeof missed === 'string') return this.#startOver(lastEventId, missed, send)
    if (mode === 'snapshot-patch') {
      for (const entry of missed) await send(Frame.of(this.#change(entry)))
      return false
    }
    if (missed.length === 0) return false
    if (mode === 'event' && missed.length > 1) return this.#startOver(lastEventId, 'skipped', send)
    return this.#greet('snapshot-only', send)
  }

  /** Sends all subscribers a message that isn't an entry, and ends their streams. */
  end(message: Omit<TopicMessage, 'position'>): void {
    const { hub } = this.#deps
    for (const content of ['patches', 'documents'] as const) {
      const topic = proxyTopic(this.streamId, content)
      hub.publish(topic, { ...message, position: this.#seq + 1, id: this.#id(this.#seq) })
      hub.end(topic)
    }
  }

  async #load(): Promise<void> {
    const { db } = this.#deps
    const [checkpoint] = await db.select().from(checkpoints).where(eq(checkpoints.streamId, this.streamId))
    const { seq = 0, snapshotSeq = null } = checkpoint ?? {}
    if (snapshotSeq !== null) {
      const [snapshot, ...patches] = await readChainTexts(versionsIn(db), this.streamId, snapshotSeq, seq)
      this.#text = snapshot
      this.#patches = patches
    }
    const kinds = ['exchange', ...VERSION_KINDS, 'error'] as const
    const { items } = await readLog(db, this.streamId, { kinds, before: seq + 1, limit: 1 })
    this.#failure = items[0] && isFailure(items[0]) ? items[0] : undefined
    this.#seq = seq
  }

  /** Reads the log to its end. */
  #readOn(): Promise<void> {
    this.#reading ??= this.#readRest()
      .catch((error: Error) => this.#deps.warn(`Can't read a proxied stream: ${error.message}`))
      .finally(() => {
        this.#reading = undefined
      })
    return this.#reading
  }

  async #readRest(): Promise<void> {
    while (this.#isBehind) {
      this.#isBehind = false
      for await (const items of readWholeLog(this.#deps.db, this.streamId, { after: this.#seq })) {
        for (const entry of items) this.#take(entry)
      }
    }
  }

  #take(entry: Entry): void {
    const { kind, seq, data } = entry
    this.#seq = seq
    this.#greeting = undefined
    const messages: TopicMessage[] = []
    if (kind === 'gap') messages.push(this.#message('monitor', data, seq))
    if (isFailure(entry)) {
      // That the content still isn't a document is no news.
      const isKnown = kind === 'exchange' && this.#failure?.kind === 'exchange'
      this.#failure = entry
      if (!isKnown) messages.push(this.#error(entry))
    } else if (kind === 'exchange' || kind === 'snapshot' || kind === 'patch') this.#recover(entry, messages)
    if (kind === 'patch') this.#patches.push(data ?? '[]')
    if (kind === 'snapshot') {
      this.#text = data
      this.#patches = []
    }
    const changes = kind === 'patch' || (kind === 'snapshot' && !isKeyframe(entry))
    this.#publish('patches', changes ? [...messages, this.#change(entry)] : messages)
    if (!this.#deps.hub.has(proxyTopic(this.streamId, 'documents'))) return
    if (this.#publishing === undefined && !(changes && this.#isLong())) {
      this.#publish('documents', changes ? [...messages, ...this.#document()] : messages)
      return
    }
    const later = (this.#publishing ?? Promise.resolve())
      .then(async () => {
        if (changes) await this.#catchUp()
        this.#publish('documents', changes ? [...messages, ...this.#document(seq)] : messages)
      })
      .catch((error: Error) => this.#deps.warn(`Can't rebuild a proxied document: ${error.message}`))
      .then(() => {
        if (this.#publishing === later) this.#publishing = undefined
      })
    this.#publishing = later
  }

  /** Whether rebuilding the document would block the main thread. */
  #isLong(): boolean {
    if (this.#text === undefined || this.#patches.length === 0) return false
    return this.#patches.reduce((sum, { length }) => sum + length, this.#text.length) > LARGE_CHARS
  }

  /** Rebuilds a long document in a worker. */
  async #catchUp(): Promise<void> {
    for (let round = 0; round < CATCH_UP_ROUNDS && this.#isLong(); round++) {
      const patches = this.#patches
      const { length } = patches
      const rebuilt = await this.#deps.large.rebuild(this.#text ?? '', patches.slice())
      if (rebuilt === undefined) return
      // Nobody else has rebuilt it, and no snapshot has arrived meanwhile.
      if (this.#patches !== patches) continue
      this.#text = rebuilt.text
      this.#patches = patches.slice(length)
    }
  }

  #recover({ at, seq }: Entry, messages: TopicMessage[]): void {
    if (this.#failure === undefined) return
    const since = new Date(this.#failure.at).toISOString()
    this.#failure = undefined
    const data = JSON.stringify({ reason: 'recovered', from: since, to: new Date(at).toISOString() })
    messages.push(this.#message('monitor', data, seq))
  }

  #publish(content: 'patches' | 'documents', messages: TopicMessage[]): void {
    const frame = frameOf(messages)
    if (frame !== undefined) this.#deps.hub.publish(proxyTopic(this.streamId, content), frame)
  }

  async #greet(mode: Mode, send: Send): Promise<boolean> {
    if (mode !== 'event' && this.#greeting === undefined) await this.#catchUp()
    const failure = this.#failure === undefined ? [] : [this.#error(this.#failure)]
    if (mode === 'event') {
      await sendAll(failure, send)
      return false
    }
    this.#greeting ??= frameOf([...this.#document(), ...failure])
    if (this.#greeting === undefined) return false
    await send(this.#greeting)
    return this.#text !== undefined
  }

  /** Sends a gap, because the missed messages can't be sent, and the current document. */
  async #startOver(lastEventId: string, reason: string, send: Send): Promise<boolean> {
    await this.#catchUp()
    const data = JSON.stringify({ from: lastEventId.slice(0, 64), to: this.#id(this.#seq), reason })
    await sendAll([this.#message('gap', data, this.#seq), ...this.#document()], send)
    return this.#text !== undefined
  }

  /**
   * The current document; nothing if there is none.
   * @param seq what it is published for
   */
  #document(seq = this.#seq): TopicMessage[] {
    if (this.#text !== undefined && this.#patches.length > 0) {
      this.#text = stringifyJson(rebuild(this.#text, this.#patches).document)
      this.#patches = []
    }
    return this.#text === undefined ? [] : [this.#message('data', this.#text, seq)]
  }

  #change({ kind, data, seq }: Entry): TopicMessage {
    return this.#message(kind === 'patch' ? 'patch' : 'data', data, seq)
  }

  #error(entry: Entry): TopicMessage {
    return this.#message('error', JSON.stringify(proxyErrorOf(entry)), entry.seq)
  }

  #message(event: string, data: string | undefined, seq: number): TopicMessage {
    return { event, data: data ?? '', position: seq, id: this.#id(seq) }
  }

  #id(seq: number): string {
    return `${this.#tag}.${seq}`
  }

  /** The last entry that a subscriber received; `undefined` if the ID isn't from this stream. */
  #seqOf(lastEventId: string): number | undefined {
    const [tag, seq = ''] = lastEventId.split('.')
    if (tag !== this.#tag || !/^\d{1,15}$/.test(seq)) return undefined
    return Number(seq) <= this.#seq ? Number(seq) : undefined
  }

  /** The changes after an entry, or why they can't be replayed. */
  async #missed(after: number): Promise<Entry[] | 'too_many' | 'not_kept'> {
    const kinds = VERSION_KINDS
    const limit = MAX_REPLAY_CHANGES + 1
    const { items } = await readLog(this.#deps.db, this.streamId, { kinds, after, limit })
    const changes = items.filter((entry) => !isKeyframe(entry))
    const bytes = changes.reduce((sum, { data = '' }) => sum + data.length, 0)
    if (changes.length > MAX_REPLAY_CHANGES || bytes > MAX_REPLAY_BYTES) return 'too_many'
    const isKept =
      after >= this.#seq || (await readEntry(this.#deps.db, this.streamId, after + 1)) !== undefined
    return isKept ? changes : 'not_kept'
  }
}

function frameOf([first, ...rest]: readonly TopicMessage[]): Frame | undefined {
  return first === undefined ? undefined : Frame.of(first, ...rest)
}

/** Sends messages in one frame, if there are any. */
async function sendAll(messages: readonly TopicMessage[], send: Send): Promise<void> {
  const frame = frameOf(messages)
  if (frame !== undefined) await send(frame)
}

/** Weir's own record that a patch wasn't used: subscribers get the snapshot instead. */
/** Whether subscribers, who want a document, can't have one. */
function isFailure({ kind, data = '', exchange }: Entry): boolean {
  if (kind === 'exchange') return exchange?.content !== undefined
  return kind === 'error' && !data.includes('"patch_mismatch"')
}

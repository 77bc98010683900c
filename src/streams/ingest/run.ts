import type { streams } from '../../../drizzle/schema.ts'
import type { Json } from '../../core/documents/document.ts'
import type { Spell, SpellState } from '../../core/judging/spell.ts'
import type { Evidence, Judgement } from '../../core/judging/status.ts'
import type { RollupDelta } from '../measures/rollup-delta.ts'
import type { Draft } from '../recording/entry.ts'

/** A registered API as stored. */
export type Stream = typeof streams.$inferSelect

/** Where a run resumes: left by the last run, and updated by this one with every write. */
export interface Checkpoint {
  seq: number
  /** The snapshot entry that the document is rebuilt from; omitted if there is no document. */
  snapshotSeq?: number
  /** Hash of the last body as received (`poll`). */
  bodyHash?: string
  /** Bytes of that body, plain and compressed with gzip. */
  plainBytes?: number
  gzipBytes?: number
  /** Last event ID from the upstream (`sse`). */
  lastEventId?: string
  etag?: string
  lastModified?: string
  /** Its cookies, encrypted; omitted unless it keeps them. */
  cookies?: Uint8Array
}

/** A followed document without its content, and the cost of rebuilding it. */
interface Standing {
  hash: string
  /** Patches since the last snapshot, and their bytes. */
  patches: number
  patchBytes: number
}

/** A document that is followed. */
export interface Followed extends Standing {
  document: Json
}

/** A large document, as JSON text: only worker threads parse it, so that the main thread is never blocked. */
export interface FollowedText extends Standing {
  text: string
}

/** One execution of a stream by one worker. Only the run itself changes it; the recorder reads it. */
export interface Run {
  readonly stream: Stream
  readonly epoch: number
  readonly worker: string
  readonly since: number
  checkpoint: Checkpoint
  followed: Followed | FollowedText | undefined
  readonly evidence: Evidence
  /** What was last written, so that only changes are written. */
  judged: Judgement | undefined
  /** Entries that the recorder dropped, not yet recorded in a `gap`. */
  dropped: { count: number; from: number; to: number } | undefined
  /** Stored entries that aren't in a rollup yet. */
  unsummed: RollupDelta
  /** Finished spells that aren't stored yet, up to a bound. */
  spells: readonly Spell[]
  /** When its evidence was last written. */
  writtenAt: number | undefined
  /** Changed paths that the run has counted, up to a bound. */
  readonly paths: Set<string>
  /** Ends the run: another one has replaced it, or its stream is gone. */
  readonly fenced: AbortController
}

/** What a follower may do to its run. */
export interface RunLog {
  /**
   * Appends an entry, and moves the checkpoint with it.
   * @returns false if there was no room and the entry was dropped; a `gap` will record it.
   */
  append(draft: Draft, checkpoint?: Partial<Checkpoint>): boolean
  /** Resolves when everything appended so far is durable; rejects when the signal aborts first. */
  durable(signal: AbortSignal): Promise<void>
  /** Notes that data arrived: the evidence is written soon, together with that of other streams. */
  seen(): void
  /** Notes how the connection stands from now on; kinds without a connection have none. */
  stands(state: SpellState, at: number): void
  /** Notes that the evidence changed in a way people should see soon: connected, failed, recovered. */
  turned(): void
}

import type { streams } from '../../../drizzle/schema.ts'
import type { Json } from '../../core/documents/document.ts'
import type { Evidence, Judgement } from '../../core/judging/verdict.ts'
import type { Tally } from '../measures/tally.ts'
import type { Draft } from '../recording/entry.ts'

/** A registered API as it is stored. */
export type Stream = typeof streams.$inferSelect

/** Where a run goes on: what the last one left, and what this one leaves with every write. */
export interface Checkpoint {
  seq: number
  /** The snapshot entry that the document is rebuilt from; left out while there is no document. */
  snapshotSeq?: number
  /** Hash of the last body as it came (`poll`). */
  bodyHash?: string
  /** Bytes of that body, plain and compressed with gzip. */
  plainBytes?: number
  gzipBytes?: number
  /** Last `id` the upstream gave an event (`sse`). */
  lastEventId?: string
  etag?: string
  lastModified?: string
}

/** What is known of a followed document, and what a rebuild of it would cost. */
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

/** A large one, as JSON text: only workers read it, so that the thread that everything else runs on never does. */
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
  /** What was last written about it, so that only changes are. */
  judged: Judgement | undefined
  /** Entries that the recorder had no room for, not yet told in a `gap`. */
  dropped: { count: number; from: number; to: number } | undefined
  /** What it has stored that is in no rollup yet. */
  unsummed: Tally
  /** Paths that the run has told changes of, as many as are told apart. */
  readonly paths: Set<string>
  /** Ends the run because another one has replaced it, or its stream is gone. */
  readonly fenced: AbortController
}

/** What a follower may do to its run. */
export interface RunLog {
  /**
   * Appends an entry, and moves the checkpoint with it.
   * @returns false when there was no room and the entry was dropped; a `gap` will say so.
   */
  append(draft: Draft, checkpoint?: Partial<Checkpoint>): boolean
  /** Resolves when everything appended so far is durable; rejects when the signal aborts first. */
  durable(signal: AbortSignal): Promise<void>
  /** Says that there was a sign of life: the evidence is written with the others' before long. */
  seen(): void
  /** Says that the evidence changed in a way people should see soon: connected, failed, recovered. */
  turned(): void
}

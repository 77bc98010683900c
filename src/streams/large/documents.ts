import { availableParallelism } from 'node:os'
import type { TooMuch } from '../../core/documents/work.ts'
import { programFile } from '../../files.ts'
import type { Selection } from '../content/selection.ts'
import type { Payload, Unreadable } from '../documents/payload.ts'
import { type DocumentStep, stepByPatch, stepTo, type Whole } from '../ingest/follow-document.ts'
import type { Followed, FollowedText } from '../ingest/run.ts'
import { asText, type CompareAnswer, type SizeJob } from './jobs.ts'
import { type PoolOptions, WorkerPool } from './pool.ts'

/**
 * Documents whose text is longer are large. At this size, parsing, comparing, hashing and serializing take about 10
 * ms at worst, which other work on the thread hardly notices. Handing a document to a worker costs 0.1 ms of the main
 * thread, and the worker parses the last one again; beyond this size that is worth it.
 */
export const LARGE_CHARS = 65_536
/** Steps that a smaller document may take on the main thread: about 30 ms. Beyond it a worker takes over. */
export const STEPS_HERE = 3_000_000
/** Maximum workers. One core is left for everything else. */
const MAX_WORKERS = 4

/** Why a document can't be followed. */
export type DocumentRefusal = Unreadable | { code: 'bad_patch' | 'too_large'; message: string }

/** Follows large documents in workers; the main thread holds their text and never parses it. */
export class LargeDocuments {
  readonly #pool: WorkerPool

  constructor(options: Partial<PoolOptions> = {}) {
    const workers = Math.min(MAX_WORKERS, Math.max(1, availableParallelism() - 1))
    this.#pool = new WorkerPool({ start: startWorker, workers, ...options })
  }

  close(): void {
    this.#pool.close()
  }

  /**
   * Advances from the last document to a polled one. If comparing them takes too long, the result is a snapshot.
   * @throws the signal's reason if it aborts first
   */
  async advance(
    last: Followed | FollowedText | undefined,
    body: Uint8Array,
    { payload, arrayKeys }: { payload: Payload; arrayKeys: readonly string[] },
    signal?: AbortSignal,
  ): Promise<DocumentStep<FollowedText> | DocumentRefusal> {
    const known = last && asText(last)
    const compared = { payload, arrayKeys, last: known && { text: known.text, hash: known.hash } }
    const job = { kind: 'compare', body: ownBytes(body), ...compared } as const
    const { answers, failure } = await this.#pool.run(job, sizeOf(body.byteLength, known), signal)
    const told: Partial<Record<string, unknown>> & CompareTold = Object.assign({}, ...answers)
    if (told.unreadable !== undefined) return told.unreadable
    if (known !== undefined && told.hash !== undefined) {
      return { followed: known, kind: 'patch', changed: false, patchBytes: 0 }
    }
    const { whole, change = { kind: 'snapshot' } } = told
    if (whole === undefined) return tooMuch('The document', failure)
    return stepTo(known, whole, known && change, { text: whole.text })
  }

  /**
   * Applies a patch from the upstream.
   * @returns `undefined` if the text isn't a patch
   * @throws the signal's reason if it aborts first
   */
  async advanceByPatch(
    last: Followed | FollowedText,
    patch: string,
    { maxBytes, isStored }: { maxBytes: number; isStored: boolean },
    signal: AbortSignal,
  ): Promise<DocumentStep<FollowedText> | DocumentRefusal | undefined> {
    const known = asText(last)
    const job = { kind: 'patch', last: { text: known.text, hash: known.hash }, patch, maxBytes } as const
    const { answers, failure } = await this.#pool.run(job, sizeOf(patch.length, known), signal)
    const [answer] = answers
    if (answer === undefined) return tooMuch('A patch', failure)
    if ('isNone' in answer) return undefined
    if ('misfit' in answer) return misfit(answer.misfit, answer.tooMuch)
    const { patched } = answer
    return stepByPatch(known, patched, patch, { text: patched.text }, isStored)
  }

  /**
   * Compressed size of a body or text; `undefined` if compressing takes too long.
   * @throws the signal's reason if it aborts first
   */
  async compressedBytes(
    content: Uint8Array | string,
    as: SizeJob['as'],
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const own = typeof content === 'string' ? content : new Uint8Array(content)
    const { answers } = await this.#pool.run({ kind: 'size', content: own, as }, content.length, signal)
    return answers[0]?.bytes
  }

  /**
   * The hash of the document in a text; `undefined` if the text isn't one.
   * @throws the signal's reason
   */
  async hash(text: string, signal: AbortSignal): Promise<string | undefined> {
    const { answers } = await this.#pool.run({ kind: 'hash', text }, sizeOf(text.length), signal)
    return answers[0]?.hash
  }

  /**
   * The JSON text of what is selected in a page or in XML.
   * @throws the signal's reason if it aborts first
   */
  async select(
    text: string,
    isXml: boolean,
    selection: Selection,
    signal: AbortSignal,
  ): Promise<{ selected: string } | DocumentRefusal> {
    const job = { kind: 'select', text, isXml, selection } as const
    const { answers, failure } = await this.#pool.run(job, sizeOf(text.length), signal)
    const [answer] = answers
    if (answer !== undefined && 'selected' in answer) return answer
    return tooMuch('What is selected', answer?.tooMuch ?? failure)
  }

  /** The change between two stored documents; `undefined` if no patch is smaller than the document. */
  async change(
    from: Pick<FollowedText, 'text' | 'hash'>,
    to: string,
    arrayKeys: readonly string[],
  ): Promise<string | undefined> {
    const last = { ...from, patches: 0, patchBytes: 0 }
    const whole = { payload: { pointer: [], ignored: [] }, arrayKeys }
    const step = await this.advance(last, new TextEncoder().encode(to), whole)
    return 'kind' in step && step.kind === 'patch' ? (step.data ?? '[]') : undefined
  }

  /** A stored document; `undefined` if it is damaged. */
  async rebuild(snapshot: string, patches: readonly string[]): Promise<FollowedText | undefined> {
    const chars = patches.reduce((sum, { length }) => sum + length, snapshot.length)
    const { answers } = await this.#pool.run({ kind: 'rebuild', snapshot, patches }, sizeOf(chars))
    return answers[0]?.rebuilt
  }
}

type CompareTold = Partial<
  { unreadable: Unreadable; hash: string; whole: Whole } & Extract<CompareAnswer, { change: unknown }>
>

/**
 * Why a patch wasn't applied.
 * @param tooMuch the bound that it exceeds
 */
export function misfit(message: string, tooMuch: TooMuch['what'] | undefined): DocumentRefusal {
  const [why = ''] = message.split('\n')
  return tooMuch === undefined
    ? { code: 'bad_patch', message: `A patch doesn't apply: ${why}` }
    : { code: 'too_large', message: `A patch wasn't applied: ${why}.` }
}

function tooMuch(what: string, failure = 'it fails'): DocumentRefusal {
  return { code: 'too_large', message: `${what} is too complex to follow: ${failure}.` }
}

function sizeOf(chars: number, last?: FollowedText): number {
  return chars + (last?.text.length ?? 0)
}

/** Bytes that can be transferred: those of a whole buffer. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const isWhole = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
  return isWhole ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes)
}

function startWorker() {
  return new Worker(programFile('src/streams/large/worker.ts'))
}

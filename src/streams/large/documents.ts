import { availableParallelism } from 'node:os'
import type { TooMuch } from '../../core/documents/work.ts'
import { programFile } from '../../files.ts'
import type { Payload, Unreadable } from '../documents/payload.ts'
import { type Step, stepByPatch, stepTo, type Whole } from '../ingest/follow-document.ts'
import type { Followed, FollowedText } from '../ingest/run.ts'
import { asText, type CompareAnswer, type SizeJob } from './jobs.ts'
import { type PoolOptions, WorkerPool } from './pool.ts'

/**
 * Documents whose text is longer are large. One as long is parsed, compared, hashed and written down in some 10 ms at
 * worst, so that who waits for the thread hardly notices; handing it to a worker costs 0.1 ms of that thread and parsing
 * the last one again, which pays from here on.
 */
export const LARGE_CHARS = 65_536
/**
 * Steps that a document that isn't large may take on the thread that everything else runs on: some 30 ms. What takes more
 * is done by a worker.
 */
export const STEPS_HERE = 3_000_000
/** Most workers. One core is left to everything else. */
const MAX_WORKERS = 4

/** A document that can't be gone on with. */
export type Refusal = Unreadable | { code: 'bad_patch' | 'too_large'; message: string }

/** What is followed of large documents, by workers; this thread holds their text and never reads it. */
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
   * Goes from the last document to the one that a poll brought. Where the time doesn't suffice to compare them, by a
   * snapshot.
   * @throws the signal's reason when it aborts first
   */
  async advance(
    last: Followed | FollowedText | undefined,
    body: Uint8Array,
    { payload, arrayKeys }: { payload: Payload; arrayKeys: readonly string[] },
    signal?: AbortSignal,
  ): Promise<Step<FollowedText> | Refusal> {
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
   * Goes on by a patch that the upstream sent.
   * @returns `undefined` where the text is none
   * @throws the signal's reason when it aborts first
   */
  async advanceByPatch(
    last: Followed | FollowedText,
    patch: string,
    { maxBytes, isStored }: { maxBytes: number; isStored: boolean },
    signal: AbortSignal,
  ): Promise<Step<FollowedText> | Refusal | undefined> {
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
   * How small a body or text becomes when it is compressed; `undefined` where that takes too long.
   * @throws the signal's reason when it aborts first
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

  /** The hash of the document that a text is; `undefined` where it is none. @throws the signal's reason */
  async hash(text: string, signal: AbortSignal): Promise<string | undefined> {
    const { answers } = await this.#pool.run({ kind: 'hash', text }, sizeOf(text.length), signal)
    return answers[0]?.hash
  }

  /** How a document that is stored turned into another; `undefined` where no patch tells that in less than the document. */
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

  /** A stored document; `undefined` where it is damaged. */
  async rebuild(snapshot: string, patches: readonly string[]): Promise<FollowedText | undefined> {
    const chars = patches.reduce((sum, { length }) => sum + length, snapshot.length)
    const { answers } = await this.#pool.run({ kind: 'rebuild', snapshot, patches }, sizeOf(chars))
    return answers[0]?.rebuilt
  }
}

type CompareTold = Partial<
  { unreadable: Unreadable; hash: string; whole: Whole } & Extract<CompareAnswer, { change: unknown }>
>

/** Why a patch wasn't applied. @param tooMuch the bound that it goes beyond */
export function misfit(message: string, tooMuch: TooMuch['what'] | undefined): Refusal {
  const [why = ''] = message.split('\n')
  return tooMuch === undefined
    ? { code: 'bad_patch', message: `A patch doesn't fit: ${why}` }
    : { code: 'too_large', message: `A patch isn't applied: ${why}.` }
}

function tooMuch(what: string, failure = 'it fails'): Refusal {
  return { code: 'too_large', message: `${what} is too much to be followed: ${failure}.` }
}

function sizeOf(chars: number, last?: FollowedText): number {
  return chars + (last?.text.length ?? 0)
}

/** Bytes that can be handed over: those of a whole buffer. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const isWhole = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
  return isWhole ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes)
}

function startWorker() {
  return new Worker(programFile('src/streams/large/worker.ts'))
}

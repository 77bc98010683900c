import { Api } from '../api.ts'
import { emptyProof, type Followed, prove } from '../proof.ts'
import { settle } from '../settle.ts'
import type { Injected } from '../takeover.ts'
import { UpstreamProcess } from '../upstream.ts'
import { Registrations } from './registrations.ts'
import type { Trial } from './trial.ts'
import type { Weir } from './weir.ts'
import { Witness } from './witness.ts'

/** Every behavior of an upstream, and a silent one. */
const STREAMS = 8
/** Longest wait for every stream to run, and for the last numbers once no more are made, in milliseconds. */
const RECOVER_MS = 75_000
const LAST_NUMBERS_MS = 20_000
/** A stream that keeps up is at most this many numbers behind. */
const KEEPS_UP = 20
const INTERVAL_MS = 500

/** Numbered streams, subscribers that remember what they were told, and registrations that were acknowledged. */
export class Followers {
  /** What was done to Weir; whoever does it adds it. */
  readonly injected: Injected[] = []
  figures: Record<string, number> = {}
  readonly #weir: Weir
  readonly #api: Api
  readonly #upstream: UpstreamProcess
  readonly #registrations: Registrations
  #streams: Followed[] = []
  #witnesses: Witness[] = []

  private constructor(weir: Weir, upstream: UpstreamProcess) {
    this.#weir = weir
    this.#upstream = upstream
    this.#api = new Api(() => weir.url)
    this.#registrations = new Registrations(weir.url)
  }

  /** Starts Weir, and waits until every stream runs. */
  static async open(trial: Trial, directory: string, weir: Weir): Promise<Followers> {
    const upstream = new UpstreamProcess(directory, STREAMS, () => {})
    trial.undo(() => upstream.program.kill())
    await upstream.start()
    const followers = new Followers(weir, upstream)
    trial.undo(() => followers.#close())
    await followers.#begin()
    return followers
  }

  /** What was acknowledged, and isn't there. */
  async missing(): Promise<string[]> {
    return [...(await this.#untold()), ...(await this.#registrations.missing())]
  }

  /** Lets everything come to rest and proves every log. @returns what doesn't hold */
  async end(): Promise<string[]> {
    await this.#registrations.close()
    const faults = await this.#settle(() => this.#upstream.newest(), KEEPS_UP)
    const newest = await this.#upstream.hush()
    faults.push(...(await this.#settle(() => newest, 0, LAST_NUMBERS_MS)))
    const proof = emptyProof()
    const seen = { sent: this.#upstream.sent(), newest, injected: this.injected }
    for (const stream of this.#streams) prove(proof, stream, await this.#api.log(stream.id), seen)
    faults.push(...proof.faults, ...(await this.missing()))
    faults.push(...this.#witnesses.flatMap((witness) => witness.faults))
    const { events, declared, gaps, undeclared, duplicates } = proof.numbers
    this.figures = {
      'told to subscribers': this.#witnesses.reduce((sum, { told }) => sum + told.size, 0),
      'changes acknowledged': this.#registrations.count,
      'entries stored': proof.stored,
      'events stored': events,
      'gaps declared': gaps,
      'events inside gaps': declared,
      'undeclared losses': undeclared,
      duplicates,
    }
    const code = await this.#weir.close()
    return code === 0 ? faults : [...faults, `end: Weir ended with ${code} after SIGTERM`]
  }

  async #begin(): Promise<void> {
    this.#weir.start()
    if (!(await this.#weir.ready())) throw new Error(`Weir doesn't start: ${this.#weir.output}`)
    this.#streams = await Promise.all(
      this.#upstream.sources.map(async (source) => {
        const poll = source.behavior === 'polled' ? { intervalMs: INTERVAL_MS } : {}
        const kind = source.behavior === 'polled' ? 'poll' : 'sse'
        const registration = { url: this.#upstream.urlOf(source), name: source.name, kind, ...poll }
        return { id: await this.#api.register(registration), source }
      }),
    )
    this.#witnesses = this.#streams.map(
      ({ id, source }) => new Witness(source.name, () => `${this.#weir.url}/api/streams/${id}/events`),
    )
    for (const witness of this.#witnesses) witness.open()
    this.#registrations.start()
    const wrong = await this.#settle(() => this.#upstream.newest(), KEEPS_UP)
    if (wrong.length > 0)
      throw new Error(`Not every stream runs before the first fault:\n${wrong.join('\n')}`)
  }

  async #close(): Promise<void> {
    for (const witness of this.#witnesses) witness.close()
    await this.#registrations.close()
  }

  async #untold(): Promise<string[]> {
    const missing = await Promise.all(
      this.#streams.map(async ({ id }, index) => {
        const witness = this.#witnesses[index] as Witness
        const told = new Map(witness.told)
        // A stream that is gone has lost everything.
        const log = await this.#api.log(id).catch((error) => String(error))
        return typeof log === 'string' ? [`told: ${witness.name}: ${log}`] : witness.missingIn(log, told)
      }),
    )
    return missing.flat()
  }

  #settle(newest: () => number, within: number, deadlineMs = RECOVER_MS): Promise<string[]> {
    return settle(this.#api, this.#streams, { newest, within, deadlineMs })
  }
}

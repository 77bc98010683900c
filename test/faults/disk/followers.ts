import { until } from '../../support/until.ts'
import type { LoggedEntry } from '../../support/weir.ts'
import { Api } from '../api.ts'
import { emptyProof, type Followed, prove } from '../checks/proof.ts'
import { settle } from '../checks/settle.ts'
import type { Injected } from '../checks/takeover.ts'
import { isPolled, LEAST_SOURCES, type Source } from '../upstream/content.ts'
import { UpstreamProcess } from '../upstream/process.ts'
import { Registrations } from './registrations.ts'
import type { Trial } from './trial.ts'
import type { Weir } from './weir.ts'
import { Witness } from './witness.ts'

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
    const upstream = new UpstreamProcess(directory, LEAST_SOURCES, () => {})
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
    const faults = await this.#settle(KEEPS_UP)
    await this.#newNumbers()
    await this.#upstream.hush()
    faults.push(...(await this.#settle(0, LAST_NUMBERS_MS)))
    const logsReadAt = Date.now()
    const logs: LoggedEntry[][] = []
    for (const { id } of this.#streams) logs.push(await this.#api.log(id))
    const { startedAt } = this.#upstream
    const journal = this.#upstream.journal()
    const seen = { startedAt, journal, newest: this.#newest, injected: this.injected, logsReadAt }
    const proof = emptyProof()
    for (const [index, stream] of this.#streams.entries()) prove(proof, stream, logs[index] ?? [], seen)
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
      this.#upstream.followed.map(async (source) => {
        const poll = isPolled(source) ? { intervalMs: INTERVAL_MS } : {}
        const kind = isPolled(source) ? 'poll' : 'sse'
        const registration = { url: this.#upstream.urlOf(source), name: source.name, kind, ...poll }
        return { id: await this.#api.register(registration), source }
      }),
    )
    this.#witnesses = this.#streams.map(
      ({ id, source }) => new Witness(source.name, () => `${this.#weir.url}/api/streams/${id}/events`),
    )
    for (const witness of this.#witnesses) witness.open()
    this.#registrations.start()
    const wrong = await this.#settle(KEEPS_UP)
    if (wrong.length > 0)
      throw new Error(`Not every stream runs before the first fault:\n${wrong.join('\n')}`)
  }

  async #close(): Promise<void> {
    for (const witness of this.#witnesses) witness.close()
    await this.#registrations.close()
  }

  async #untold(): Promise<string[]> {
    const missing: string[] = []
    for (const [index, { id }] of this.#streams.entries()) {
      const witness = this.#witnesses[index] as Witness
      const told = new Map(witness.told)
      // A stream that is gone has lost everything.
      const log = await this.#api.log(id).catch((error) => String(error))
      if (typeof log === 'string') missing.push(`told: ${witness.name}: ${log}`)
      else missing.push(...witness.missingIn(log, told))
    }
    return missing
  }

  /** Waits until every source has made a number to which its stream was connected. */
  async #newNumbers(): Promise<void> {
    const known = new Map(this.#upstream.followed.map((source) => [source, this.#newest(source)]))
    const isNew = () => [...known].every(([source, number]) => this.#newest(source) > number)
    await until('every source has made a new number', isNew, RECOVER_MS)
  }

  readonly #newest = (source: Source) => this.#upstream.newest(source)

  #settle(within: number, deadlineMs = RECOVER_MS): Promise<string[]> {
    return settle(this.#api, this.#streams, { newest: this.#newest, within, deadlineMs })
  }
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Random, randomFor } from '../../../src/sim/random.ts'
import { Api } from '../api.ts'
import { emptyProof, type Followed, prove } from '../proof.ts'
import { settle } from '../settle.ts'
import type { Injected } from '../takeover.ts'
import { UpstreamProcess } from '../upstream.ts'
import { LoopDisk } from './loop.ts'
import { Registrations } from './registrations.ts'
import type { Trial, TrialResult } from './trial.ts'
import { Weir } from './weir.ts'
import { Witness } from './witness.ts'

const DISK_MB = 1_024
/** Every behavior of an upstream, and a silent one. */
const STREAMS = 8
/** A cut falls within this time after the start, in milliseconds: into the start, recovery, or the work after it. */
const CUT_WITHIN_MS = 6_500
/** The first cuts fall into the creation of the database, in milliseconds. */
const FIRST_WITHIN_MS = 2_500
const FIRST_CUTS = 2
/** Share of the cuts after which Weir is ready, and what it stored is checked, before the next cut. */
const CHECKED = 0.7
/** What was told before everything was stopped is read within this, in milliseconds. */
const READ_MS = 50
const RECOVER_MS = 75_000
const LAST_NUMBERS_MS = 20_000
const KEEPS_UP = 20
const INTERVAL_MS = 500

/** Cuts the power again and again while numbered events flow. */
export async function powerCuts(trial: Trial): Promise<TrialResult> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-power-'))
  trial.undo(async () => rmSync(directory, { recursive: true, force: true }))
  const disk = await LoopDisk.make(directory, DISK_MB)
  trial.undo(() => disk.remove())
  const weir = new Weir({ ...trial, dataDir: join(disk.path, 'data') })
  trial.undo(() => weir.kill())
  const upstream = new UpstreamProcess(directory, STREAMS, () => {})
  trial.undo(() => upstream.program.kill())
  await upstream.start()
  return new Power(trial, disk, weir, upstream).run()
}

class Power {
  readonly #trial: Trial
  readonly #disk: LoopDisk
  readonly #weir: Weir
  readonly #upstream: UpstreamProcess
  readonly #api: Api
  readonly #random: Random
  readonly #registrations: Registrations
  readonly #faults: string[] = []
  readonly #injected: Injected[] = []
  #figures: Record<string, number> = {}
  #streams: Followed[] = []
  #witnesses: Witness[] = []

  constructor(trial: Trial, disk: LoopDisk, weir: Weir, upstream: UpstreamProcess) {
    this.#trial = trial
    this.#disk = disk
    this.#weir = weir
    this.#upstream = upstream
    this.#api = new Api(() => weir.url)
    this.#random = randomFor(trial.seed, 'power')
    this.#registrations = new Registrations(weir.url)
    trial.undo(async () => this.#witnesses.forEach((witness) => void witness.close()))
    trial.undo(() => this.#registrations.close())
  }

  async run(): Promise<TrialResult> {
    const { times, tell } = this.#trial
    for (let cut = 1; cut <= FIRST_CUTS; cut++) await this.#cut(`first start, cut ${cut}`, FIRST_WITHIN_MS)
    await this.#begin()
    for (let cut = 1; cut <= times; cut++) {
      const isUp = await this.#cut(`cut ${cut} of ${times}`, CUT_WITHIN_MS)
      if (!isUp) break
    }
    const told = this.#witnesses.reduce((sum, witness) => sum + witness.told.size, 0)
    if (this.#faults.length === 0) await this.#end()
    tell(`${told} entries were told to subscribers, ${this.#registrations.count} changes acknowledged`)
    return { faults: this.#faults, figures: { cuts: times + FIRST_CUTS, told, ...this.#figures } }
  }

  async #begin(): Promise<void> {
    this.#weir.start()
    if (!(await this.#weir.ready())) throw new Error(`Weir doesn't start: ${this.#weir.output}`)
    this.#streams = await Promise.all(
      this.#upstream.sources.map(async (source) => {
        const kind = source.behavior === 'polled' ? 'poll' : 'sse'
        const poll = kind === 'poll' ? { intervalMs: INTERVAL_MS } : {}
        const id = await this.#api.register({
          ...{ url: this.#upstream.urlOf(source), name: source.name, kind },
          ...poll,
        })
        return { id, source }
      }),
    )
    this.#witnesses = this.#streams.map(
      ({ id, source }) => new Witness(source.name, () => `${this.#weir.url}/api/streams/${id}/events`),
    )
    for (const witness of this.#witnesses) witness.open()
    this.#registrations.start()
    await this.#settle(() => this.#upstream.newest(), KEEPS_UP)
  }

  /** Starts Weir unless it runs, cuts the power at a random moment, and checks what the next start finds. */
  async #cut(name: string, withinMs: number): Promise<boolean> {
    this.#weir.start()
    const atMs = Math.round(this.#random() * withinMs)
    await Bun.sleep(atMs)
    const from = Date.now()
    const was = this.#weir.output.includes('listening on') ? 'serving' : 'starting'
    this.#weir.stop()
    await Bun.sleep(READ_MS)
    await this.#disk.cut()
    await this.#weir.kill()
    await this.#disk.lose()
    this.#trial.tell(`${name}: after ${atMs} ms, while ${was}`)
    this.#weir.start()
    this.#injected.push({ name: 'power cut', from, to: Date.now(), isFreeze: true })
    // Some of the next starts are cut too, before anything can be checked.
    const isChecked = this.#streams.length > 0 && this.#random() < CHECKED
    return !isChecked || this.#check(name)
  }

  async #check(name: string): Promise<boolean> {
    if (!(await this.#weir.ready())) {
      this.#faults.push(`start: ${name}: Weir ended (${this.#weir.exit}): ${this.#weir.output.trim()}`)
      return false
    }
    const last = this.#injected.at(-1) as Injected
    last.to = Date.now()
    const found = [...(await this.#untold()), ...(await this.#registrations.missing())]
    this.#faults.push(...found.map((fault) => `${name}: ${fault}`))
    return true
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

  async #end(): Promise<void> {
    if (!(await this.#check('after the last cut'))) return
    await this.#registrations.close()
    await this.#settle(() => this.#upstream.newest(), KEEPS_UP)
    const newest = await this.#upstream.hush()
    await this.#settle(() => newest, 0, LAST_NUMBERS_MS)
    const proof = emptyProof()
    const seen = { sent: this.#upstream.sent(), newest, injected: this.#injected }
    for (const stream of this.#streams) prove(proof, stream, await this.#api.log(stream.id), seen)
    this.#faults.push(...proof.faults, ...(await this.#untold()), ...(await this.#registrations.missing()))
    this.#faults.push(...this.#witnesses.flatMap(({ faults }) => faults))
    const { events, declared, gaps, undeclared, duplicates } = proof.numbers
    this.#figures = { stored: proof.stored, events, gaps, 'inside gaps': declared, undeclared, duplicates }
    const code = await this.#weir.close()
    if (code !== 0) this.#faults.push(`end: Weir ended with ${code} after SIGTERM`)
  }

  async #settle(newest: () => number, within: number, deadlineMs = RECOVER_MS): Promise<void> {
    this.#faults.push(...(await settle(this.#api, this.#streams, { newest, within, deadlineMs })))
  }
}

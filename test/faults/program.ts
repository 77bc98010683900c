import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { signal } from './child.ts'
import type { Clock } from './injection/clock.ts'

const ROOT = join(import.meta.dir, '../..')
/** A program that ended by itself is started again after this, in milliseconds, as a supervisor would. */
const RESPAWN_MS = 500
/** Longest orderly end, in milliseconds: Weir promises 4,500, and a loaded machine takes its time. */
const END_MS = 10_000
/** Longest start, in milliseconds. */
const READY_MS = 30_000
/** Characters of output kept for the report of a failure. */
const TAIL_CHARS = 2_000

/** How a program ended that should not have. */
export interface Mishap {
  program: string
  atMs: number
  /** Whether it had said that it was ready. */
  wasReady: boolean
  what: string
  tail: string
}

export interface ProgramOptions {
  name: string
  /** The command, made anew for every start. */
  command(): string[]
  environment?(): Record<string, string>
  /** Default: the real one. */
  clock?: Clock | undefined
  /** What it prints when it is ready. */
  ready: RegExp
  /** Appended with everything it prints; left out: nowhere. */
  logFile?: string
  mishap(mishap: Mishap): void
}

/** A process that is started again and again under one name. */
export class Program {
  readonly name: string
  readonly #options: ProgramOptions
  #child: Bun.Subprocess | undefined
  #ready = Promise.withResolvers<RegExpExecArray>()
  #isReady = false
  /** Whether it should be running: an end is a mishap only then. */
  #wanted = false
  #tail = ''

  constructor(options: ProgramOptions) {
    this.name = options.name
    this.#options = options
  }

  get pid(): number | undefined {
    return this.#child?.exitCode === null && this.#child.signalCode === null ? this.#child.pid : undefined
  }

  /** @returns what matched `ready` */
  async start(): Promise<RegExpExecArray> {
    this.#wanted = true
    this.#spawn()
    const late = Bun.sleep(READY_MS).then(() => {
      throw new Error(`${this.name} isn't ready after ${READY_MS} ms: ${this.#tail}`)
    })
    return Promise.race([this.#ready.promise, late])
  }

  /** Starts it without waiting for it: what goes wrong is a mishap. */
  startLater(): void {
    this.#wanted = true
    this.#spawn()
  }

  async kill(): Promise<void> {
    this.#wanted = false
    this.#child?.kill('SIGKILL')
    await this.#child?.exited
  }

  /** Asks it to end, and sees that it does so in order. */
  async terminate(): Promise<void> {
    this.#wanted = false
    const child = this.#child
    if (child === undefined || this.pid === undefined) return
    child.kill('SIGTERM')
    const ended = await Promise.race([child.exited.then(() => true), Bun.sleep(END_MS).then(() => false)])
    if (ended) return
    this.#mishap(`did not end within ${END_MS} ms of SIGTERM`)
    await this.kill()
  }

  async freeze(forMs: number): Promise<void> {
    const { pid } = this
    if (pid === undefined) return
    signal(pid, 'SIGSTOP')
    await Bun.sleep(forMs)
    signal(pid, 'SIGCONT')
  }

  get clock(): Clock | undefined {
    return this.#options.clock
  }

  /** How the last process ended: its code, or its signal's name. */
  get lastExit(): number | string | undefined {
    return this.#child?.signalCode ?? this.#child?.exitCode ?? undefined
  }

  #spawn(): void {
    const { command, environment, clock } = this.#options
    if (this.#isReady) this.#ready = Promise.withResolvers()
    this.#isReady = false
    this.#tail = ''
    const child = Bun.spawn(command(), {
      cwd: ROOT,
      env: { ...process.env, ...clock?.environment, ...environment?.() },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    })
    this.#child = child
    const read = Promise.all([this.#read(child.stdout), this.#read(child.stderr)])
    void child.exited.then(async (code) => {
      await read
      if (!this.#wanted || this.#child !== child) return
      this.#mishap(`ended by itself (${child.signalCode ?? code})`)
      await Bun.sleep(RESPAWN_MS)
      if (this.#wanted && this.#child === child) this.#spawn()
    })
  }

  async #read(output: ReadableStream<Uint8Array>): Promise<void> {
    const { ready, logFile, name } = this.#options
    const decoder = new TextDecoder()
    for await (const chunk of output) {
      const text = decoder.decode(chunk, { stream: true })
      this.#tail = (this.#tail + text).slice(-TAIL_CHARS)
      if (logFile) appendFileSync(logFile, text.replaceAll(/^(?=.)/gm, `${stamp()} ${name} `))
      const match = this.#isReady ? null : ready.exec(this.#tail)
      if (match === null) continue
      this.#isReady = true
      this.#ready.resolve(match)
    }
  }

  #mishap(what: string): void {
    const { name } = this
    this.#options.mishap({ program: name, atMs: Date.now(), wasReady: this.#isReady, what, tail: this.#tail })
  }
}

function stamp(): string {
  return new Date().toISOString().slice(11, 23)
}

import { readFileSync } from 'node:fs'
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Mistake } from './mistake.ts'

const ROOT = join(import.meta.dir, '../..')
/** A run of tests that takes longer hangs, in milliseconds. */
const HANGS_AFTER_MS = 240_000
/** Resident memory that no run of these tests needs: some mistakes make it grow without end. */
const GROWS_BEYOND_BYTES = 3 * 2 ** 30
const LOOK_EVERY_MS = 250
const PAGE_BYTES = 4_096
const TEST_TIMEOUT_MS = 30_000
const SIGNALS = ['SIGINT', 'SIGTERM'] as const
/** Exit status of a run that was stopped. */
const STOPPED = 130
/** Characters of a run's output that are kept. */
const MAX_OUTPUT = 2_000_000

export interface Outcome {
  passed: boolean
  /** The first test that failed, or what happened instead. */
  said: string
}

/** A copy of the checkout in which mistakes are made, so that the checkout itself never holds one. */
export class Copy {
  readonly #directory: string

  private constructor(directory: string) {
    this.#directory = directory
  }

  /** Copies every file that git knows or would add. */
  static async make(): Promise<Copy> {
    const directory = await mkdtemp(join(tmpdir(), 'weir-mutants-'))
    const listed = await Bun.$`git ls-files --cached --others --exclude-standard -z`.cwd(ROOT).text()
    for (const file of listed.split('\0').filter(Boolean)) {
      if (await Bun.file(join(ROOT, file)).exists()) await cp(join(ROOT, file), join(directory, file))
    }
    await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
    return new Copy(directory)
  }

  /** Runs tests with the mistake made, and takes it back. @throws Error if its text isn't there exactly once */
  async withMistake({ file, find, replace, tests }: Mistake): Promise<Outcome> {
    const path = join(this.#directory, file)
    const right = await Bun.file(path).text()
    await Bun.write(path, mutate(right, { file, find, replace }))
    try {
      return await this.run(tests)
    } finally {
      await Bun.write(path, right)
    }
  }

  /** Runs test files up to the first failure. */
  async run(tests: readonly string[]): Promise<Outcome> {
    const files = tests.map((test) => `./${test}`)
    const child = Bun.spawn(
      [process.execPath, 'test', '--bail', '--timeout', String(TEST_TIMEOUT_MS), ...files],
      { cwd: this.#directory, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe', detached: true },
    )
    let ended: string | undefined
    const end = (why: string) => {
      ended ??= why
      process.kill(-child.pid, 'SIGKILL')
    }
    const onSignal = () => end('stopped')
    for (const signal of SIGNALS) process.once(signal, onSignal)
    const hanging = setTimeout(() => end('hangs'), HANGS_AFTER_MS)
    const growing = setInterval(() => {
      if (residentBytes(child.pid) > GROWS_BEYOND_BYTES) end('grows without end')
    }, LOOK_EVERY_MS)
    try {
      const output = (await new Response(child.stderr).text()).slice(-MAX_OUTPUT)
      const code = await child.exited
      const said = /^\(fail\) (.*)$/m.exec(output)?.[1]
      if (ended === 'stopped') process.exit(STOPPED)
      if (ended !== undefined) return { passed: false, said: ended }
      return { passed: code === 0, said: said ?? output.trim().split('\n').at(-1) ?? '' }
    } finally {
      clearTimeout(hanging)
      clearInterval(growing)
      for (const signal of SIGNALS) process.off(signal, onSignal)
    }
  }

  remove(): Promise<void> {
    return rm(this.#directory, { recursive: true, force: true })
  }
}

/** @see https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html */
function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES
  } catch {
    // It has just ended.
    return 0
  }
}

/** The file's text with the mistake. @throws Error if the text to find isn't there exactly once */
export function mutate(text: string, { file, find, replace }: Pick<Mistake, 'file' | 'find' | 'replace'>) {
  const parts = text.split(find)
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} × ${JSON.stringify(find)}, not 1`)
  return parts.join(replace)
}

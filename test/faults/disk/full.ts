import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomFor } from '../../../src/sim/random.ts'
import { until } from '../../support/until.ts'
import { Followers } from './followers.ts'
import { inside } from './inside.ts'
import { LoopDisk } from './loop.ts'
import type { Trial, TrialResult } from './trial.ts'
import { Weir } from './weir.ts'

const DISK_MB = 320
/** How long the disk stays full, in milliseconds: some of the times Postgres has to give up. */
const FULL_MS = 5_000
const MORE_FULL_MS = 8_000
/** Longest wait until Weir says that the disk is full, and until it goes on: Postgres' restarts are up to 30 s apart. */
const NOTICE_MS = 60_000
const RECOVER_MS = 90_000
/** Restarts of Postgres that a full disk may cost, at most: their waits double from 0.1 s up to 30 s. */
const MAX_RESTARTS = 16

/** Megabytes written to the write-ahead log of a full disk: more than the files that it has ready. */
const PRESSES = 300

/** Fills the disk again and again while numbered events flow, and frees it. */
export async function fullDisks(trial: Trial): Promise<TrialResult> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-full-'))
  trial.undo(async () => rmSync(directory, { recursive: true, force: true }))
  const disk = await LoopDisk.make(directory, DISK_MB)
  trial.undo(() => disk.remove())
  const dataDir = join(disk.path, 'data')
  mkdirSync(dataDir, { mode: 0o700 })
  const weir = new Weir({ ...trial, dataDir })
  trial.undo(() => weir.kill())
  const followers = await Followers.open(trial, directory, weir)
  const random = randomFor(trial.seed, 'full')
  const faults: string[] = []
  let notices = 0
  for (let time = 1; time <= trial.times; time++) {
    const ballast = join(disk.path, 'ballast')
    const from = Date.now()
    const before = weir.output.length
    fill(ballast, disk.path)
    const said = await until('Weir says that it can store nothing', () => notice(weir.url), NOTICE_MS).catch(
      String,
    )
    if (said.startsWith('recording') || said.startsWith('database')) notices++
    else faults.push(`notice: the disk is full, and ${said}`)
    // What is left is taken too, and the write-ahead log needs more: Postgres can only end then.
    fill(ballast, disk.path)
    await pressLog(dataDir)
    await Bun.sleep(FULL_MS + random() * MORE_FULL_MS)
    const output = weir.output.slice(before)
    if (!/No space left on device/.test(output)) faults.push('log: the full disk is not named')
    const restarts = output.match(/will be restarted|can't start/g)?.length ?? 0
    if (restarts > MAX_RESTARTS) faults.push(`spin: Postgres was restarted ${restarts} times`)
    trial.tell(`full ${time} of ${trial.times}: ${said}; ${restarts} restarts of Postgres`)
    rmSync(ballast)
    if (weir.exit !== null)
      return { faults: [...faults, `process: Weir ended (${weir.exit}): ${weir.output}`], figures: {} }
    followers.injected.push({ name: 'Postgres: disk full', from, to: Date.now() })
    await until('Weir is ready again', async () => (await notice(weir.url)) === undefined, RECOVER_MS).catch(
      (error) => faults.push(`recovery: ${error}; ${weir.output.slice(-1_500)}`),
    )
    faults.push(...(await followers.missing()))
  }
  faults.push(...(await followers.end()))
  return { faults, figures: { 'times full': trial.times, notices, ...followers.figures } }
}

/** Writes to the write-ahead log alone, until its next file doesn't fit. */
async function pressLog(dataDir: string): Promise<void> {
  await inside(dataDir, async (client) => {
    for (let count = 0; count < PRESSES; count++) {
      await client.query("SELECT pg_logical_emit_message(true, 'test', repeat('x', 1000000))")
    }
  }).catch(() => {
    // It has ended, or refuses.
  })
}

/** Takes all the space there is. */
function fill(path: string, disk: string): void {
  const file = openSync(path, 'a')
  for (let bytes = 1_048_576; bytes >= 4_096; ) {
    try {
      const { bavail, bsize } = statfsSync(disk)
      if (bavail === 0) break
      writeSync(file, Buffer.alloc(Math.min(bytes, Math.max(bsize, bavail * bsize))))
    } catch {
      bytes /= 2
    }
  }
  closeSync(file)
}

/** What isn't ready. */
async function notice(url: string): Promise<string | undefined> {
  const response = await fetch(`${url}/readyz`).catch(() => undefined)
  if (response === undefined) return 'no answer'
  const { checks } = (await response.json()) as { checks: { name: string; ok: boolean; detail: string }[] }
  const wrong = checks.filter(({ ok }) => !ok)
  return wrong.length === 0 ? undefined : wrong.map(({ name, detail }) => `${name}: ${detail}`).join(' ')
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Random, randomFor } from '../../../src/sim/random.ts'
import { Followers } from './followers.ts'
import { LoopDisk } from './loop.ts'
import type { Trial, TrialResult } from './trial.ts'
import { Weir } from './weir.ts'

const DISK_MB = 1_024
/** A cut falls within this time after the start, in milliseconds: into the start, recovery, or the work after it. */
const CUT_WITHIN_MS = 6_500
/** The first cuts fall into the creation of the database, in milliseconds. */
const FIRST_WITHIN_MS = 2_500
const FIRST_CUTS = 2
/** Share of the cuts after which Weir is ready, and what it stored is checked, before the next cut. */
const CHECKED = 0.7
/** What was told before everything was stopped is read within this, in milliseconds. */
const READ_MS = 50

/** Cuts the power again and again while numbered events flow. */
export async function powerCuts(trial: Trial): Promise<TrialResult> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-power-'))
  trial.undo(async () => rmSync(directory, { recursive: true, force: true }))
  const disk = await LoopDisk.make(directory, DISK_MB)
  trial.undo(() => disk.remove())
  const weir = new Weir({ ...trial, dataDir: join(disk.path, 'data') })
  trial.undo(() => weir.kill())
  const power: Power = { trial, disk, weir, random: randomFor(trial.seed, 'power') }
  for (let time = 1; time <= FIRST_CUTS; time++) await cut(power, `first start, cut ${time}`, FIRST_WITHIN_MS)
  const followers = await Followers.open(trial, directory, weir)
  const faults: string[] = []
  for (let time = 1; time <= trial.times; time++) {
    const name = `cut ${time} of ${trial.times}`
    const from = await cut(power, name, CUT_WITHIN_MS)
    weir.start()
    const injected = { name: 'power cut', from, to: Date.now() }
    followers.injected.push(injected)
    // Some of the next starts are cut too, before anything can be checked.
    if (power.random() > CHECKED && time < trial.times) continue
    if (!(await weir.ready())) {
      faults.push(`start: ${name}: Weir ended (${weir.exit}): ${weir.output.trim()}`)
      return { faults, figures: { cuts: time + FIRST_CUTS } }
    }
    injected.to = Date.now()
    faults.push(...(await followers.missing()).map((fault) => `${name}: ${fault}`))
  }
  // With losses, streams may be gone, and the proof with them.
  if (faults.length === 0) faults.push(...(await followers.end()))
  return { faults, figures: { cuts: trial.times + FIRST_CUTS, ...followers.figures } }
}

interface Power {
  trial: Trial
  disk: LoopDisk
  weir: Weir
  random: Random
}

/** Cuts the power at a random moment of a Weir that has just started, or starts now. @returns when */
async function cut({ trial, disk, weir, random }: Power, name: string, withinMs: number): Promise<number> {
  weir.start()
  const atMs = Math.round(random() * withinMs)
  await Bun.sleep(atMs)
  const at = Date.now()
  const doing = weir.output.includes('listening on') ? 'serving' : 'starting'
  weir.stop()
  await Bun.sleep(READ_MS)
  await disk.cut()
  await weir.kill()
  await disk.lose()
  trial.tell(`${name}: after ${atMs} ms, while ${doing}`)
  return at
}

import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Random, randomFor } from '../../../src/sim/random.ts'
import { until } from '../../support/until.ts'
import { commandOf, isAlive, signal } from '../child.ts'
import { OPERATIONS, type Operation } from './operations.ts'
import type { Place, Scene } from './scene.ts'
import { killAll, serverOf, treeOf } from './tree.ts'
import type { Trial, TrialResult } from './trial.ts'
import { Weir } from './weir.ts'

/** Everything that a data directory may have while Weir doesn't run. */
const KNOWN = /^(database|lock\.sqlite|postgres\.password|engine-.*)$/
/** Longest wait for processes to end after an orderly end, in milliseconds. */
const GONE_MS = 5_000
/** Who is killed: Weir's own process, it and all that it started at once, or its Postgres alone. */
const VICTIMS = ['Weir', 'Weir and all of it', 'Postgres'] as const

/** Kills at random moments of each operation in turn. */
export async function kills(trial: Trial): Promise<TrialResult> {
  const home = mkdtempSync(join(tmpdir(), 'weir-kills-'))
  trial.undo(async () => rmSync(home, { recursive: true, force: true }))
  const random = randomFor(trial.seed, 'kills')
  const faults: string[] = []
  const kinds: Record<string, number> = {}
  for (let time = 0; time < trial.times; time++) {
    const operation = OPERATIONS[time % OPERATIONS.length] as Operation
    const found = await killDuring(trial, operation, home, random)
    for (const fault of found) trial.tell(`does not hold: ${fault}`)
    faults.push(...found.map((fault) => `${operation.name}: ${fault}`))
    kinds[operation.name] = (kinds[operation.name] ?? 0) + 1
  }
  return { faults, figures: { kills: trial.times, ...kinds } }
}

async function killDuring(
  trial: Trial,
  operation: Operation,
  home: string,
  random: Random,
): Promise<string[]> {
  const atMs = Math.round(random() * operation.lastsMs)
  const victim = VICTIMS[Math.floor(random() * VICTIMS.length)] as (typeof VICTIMS)[number]
  const directory = mkdtempSync(join(home, 'run-'))
  const dataDir = join(directory, 'data')
  mkdirSync(dataDir, { mode: 0o700 })
  const undoing: (() => Promise<unknown>)[] = []
  const undo = (step: () => Promise<unknown>) => void undoing.push(step)
  const place: Place = { dataDir, directory, home, undo }
  const environment = await operation.prepare(place)
  const weir = new Weir({ dataDir, environment, logFile: trial.logFile })
  undo(() => weir.kill())
  const scene: Scene = { ...place, weir }
  let when = ''
  try {
    const begun = await operation.begin(scene)
    const ended = begun.ended.then(
      () => 'done',
      () => 'failed',
    )
    when = await Promise.race([ended, Bun.sleep(atMs).then(() => 'in progress')])
    const killed = killPart(begun.pid(), victim)
    trial.tell(`${operation.name}: ${killed} killed after ${atMs} ms, ${when}`)
    await ended
    const faults = await operation.check(scene)
    if (weir.pid !== undefined) {
      const code = await weir.close()
      if (code !== 0) faults.push(`Weir ended with ${code} after SIGTERM: ${weir.output}`)
    }
    // A shell that watched the server ends a moment after it.
    await until('nothing runs there', () => processesIn(dataDir).length === 0, GONE_MS).catch(() => {})
    return [...faults, ...leftovers(dataDir)]
  } catch (error) {
    return [`${error}; Weir's last words: ${weir.output.slice(-1_500)}`]
  } finally {
    for (const step of undoing.reverse()) await step().catch((error) => trial.tell(`clearing up: ${error}`))
    await killAll(processesIn(directory))
    rmSync(directory, { recursive: true, force: true })
  }
}

function killPart(pid: number, victim: (typeof VICTIMS)[number]): string {
  const tree = treeOf(pid)
  const programs = tree.filter((each) => /\/(postgres|initdb)$/.test(commandOf(each)[0] ?? ''))
  const server = serverOf(pid) ?? programs.at(0)
  if (victim === 'Postgres' && server !== undefined) {
    signal(server, 'SIGKILL')
    return victim
  }
  for (const each of victim === 'Weir and all of it' ? tree : [pid]) signal(each, 'SIGKILL')
  return victim === 'Postgres' ? 'Weir' : victim
}

/** What stays behind an orderly end. */
function leftovers(dataDir: string): string[] {
  const files = readdirSync(dataDir).filter((name) => !KNOWN.test(name))
  const inside = readdirSync(join(dataDir, 'database')).filter((name) =>
    /postmaster\.pid|s\.PGSQL/.test(name),
  )
  const processes = processesIn(dataDir).map((pid) => commandOf(pid).join(' ').slice(0, 80))
  return [...files, ...inside, ...processes].map((what) => `left behind: ${what}`)
}

/** Processes that work in a directory. */
function processesIn(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(directory) && isAlive(pid)
      } catch {
        return false
      }
    })
}

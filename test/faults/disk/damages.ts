import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { type Random, randomFor } from '../../../src/sim/random.ts'
import { until } from '../../support/until.ts'
import { listed } from './requests.ts'
import { copied, logs } from './scene.ts'
import type { Trial, TrialResult } from './trial.ts'
import { Weir } from './weir.ts'

/** What Weir must say of it: what is damaged, and the way back. */
const SAID = /(is damaged|has lost its last changes).*weir restore FILE/s
const START_MS = 60_000
/** How long a Weir works before it is killed, in milliseconds: then its log has more than its tables. */
const WORK_MS = 1_500
const RETENTION = { RETENTION_DAYS: '3650' }
/** Files whose content Postgres doesn't protect, so that a changed byte can't be noticed, only a missing file. */
const UNPROTECTED = /^(pg_xact|pg_multixact|pg_subtrans|pg_commit_ts)\//
/** Of no consequence: Postgres makes them again, or never reads them here. */
const IDLE =
  /^(pg_stat|pg_logical|pg_notify|pg_serial|pg_snapshots|pg_replslot|pg_twophase|pg_dynshmem|weir\.position)/

/** Share of damages that fall on tables and indexes. */
const TABLES = 0.6

const DAMAGES = {
  'a byte flipped': (path: string, random: Random) => {
    const at = Math.floor(random() * statSync(path).size)
    const file = openSync(path, 'r+')
    const byte = Buffer.alloc(1)
    readSync(file, byte, 0, 1, at)
    byte[0] = (byte[0] as number) ^ (1 << Math.floor(random() * 8))
    writeSync(file, byte, 0, 1, at)
    closeSync(file)
  },
  'cut off': (path: string, random: Random) => truncateSync(path, Math.floor(random() * statSync(path).size)),
  removed: (path: string) => rmSync(path),
} as const

/** Damages one file after the other, each in a fresh copy, and reads everything. */
export async function damages(trial: Trial): Promise<TrialResult> {
  const home = mkdtempSync(join(tmpdir(), 'weir-damages-'))
  trial.undo(async () => rmSync(home, { recursive: true, force: true }))
  const random = randomFor(trial.seed, 'damages')
  const whole = await contents(trial, home)
  const outcomes = { refused: 0, 'answered as damaged': 0, 'without effect': 0 }
  const faults: string[] = []
  for (let time = 0; time < trial.times; time++) {
    const dataDir = mkdtempSync(join(home, 'run-'))
    await copied({ home, dataDir, directory: home, undo: trial.undo }, 'logs', logs)
    const weir = new Weir({ dataDir, environment: RETENTION, logFile: trial.logFile })
    trial.undo(() => weir.kill())
    const wasKilled = random() < 0.5
    if (wasKilled) await crash(weir, random)
    const what = damage(join(dataDir, 'database'), random)
    const { outcome, fault } = await judge(weir, whole)
    trial.tell(`${what}${wasKilled ? ' after a kill' : ''}: ${outcome}`)
    outcomes[outcome]++
    if (fault !== undefined) trial.tell(`does not hold: ${fault}`)
    if (fault !== undefined) faults.push(`${what}${wasKilled ? ' after a kill' : ''}: ${fault}`)
    await weir.kill()
    rmSync(dataDir, { recursive: true, force: true })
  }
  return { faults, figures: { damages: trial.times, ...outcomes } }
}

/** Every log as it is without damage, by stream. */
async function contents(trial: Trial, home: string): Promise<Map<string, string>> {
  const dataDir = join(home, 'whole')
  mkdirSync(dataDir, { mode: 0o700 })
  await copied({ home, dataDir, directory: home, undo: trial.undo }, 'logs', logs)
  const weir = new Weir({ dataDir, environment: RETENTION, logFile: trial.logFile })
  trial.undo(() => weir.kill())
  weir.start()
  if (!(await weir.ready())) throw new Error(weir.output)
  const ids = (await listed(weir)).map(({ id }) => id)
  const all = new Map(
    await Promise.all(ids.map(async (id) => [id, await (await logOf(weir, id)).text()] as const)),
  )
  await weir.close()
  return all
}

async function crash(weir: Weir, random: Random): Promise<void> {
  weir.start()
  if (!(await weir.ready())) throw new Error(weir.output)
  await Bun.sleep(WORK_MS + random() * WORK_MS)
  weir.stop()
  await weir.kill()
}

/** @returns what was done to which file */
function damage(database: string, random: Random): string {
  const all = readdirSync(database, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(database, join(parentPath, name)))
    .filter((path) => !IDLE.test(path) && statSync(join(database, path)).size > 0)
    .sort()
  // There are far more tables than anything else.
  const folders = [...new Set(all.map((path) => path.split('/')[0] as string))].filter(
    (name) => !name.includes('.'),
  )
  const folder = random() < TABLES ? 'base' : (folders[Math.floor(random() * folders.length)] as string)
  const inside = all.filter((path) => path.split('/')[0] === folder)
  const path = inside[Math.floor(random() * inside.length)] as string
  const kinds = Object.keys(DAMAGES) as (keyof typeof DAMAGES)[]
  const kind = UNPROTECTED.test(path)
    ? 'removed'
    : (kinds[Math.floor(random() * kinds.length)] as keyof typeof DAMAGES)
  DAMAGES[kind](join(database, path), random)
  return `${path} ${kind}`
}

type Outcome = { outcome: 'refused' | 'answered as damaged' | 'without effect'; fault?: string }

async function judge(weir: Weir, whole: ReadonlyMap<string, string>): Promise<Outcome> {
  weir.start()
  const how = await until(
    'it serves or ends',
    () => (weir.exit !== null && 'ended') || (weir.output.includes('listening on') && 'serves'),
    START_MS,
  )
  if (how === 'ended')
    return { outcome: 'refused', ...unless(SAID.test(weir.output), `it says ${weir.output}`) }
  let refused = 0
  for (const [id, log] of whole) {
    const found = await logOf(weir, id).then(
      async (response) => ({ status: response.status, text: await response.text() }),
      (error) => ({ status: 0, text: String(error) }),
    )
    if (found.status === 200 && found.text === log) continue
    refused++
    if (found.status === 200 && !weir.output.includes('The database is damaged')) {
      return {
        outcome: 'answered as damaged',
        fault: `${id} was answered with ${found.text.length} of ${log.length}`,
      }
    }
  }
  if (refused === 0) return { outcome: 'without effect' }
  await until('it says so', () => weir.exit !== null || SAID.test(weir.output), 5_000).catch(() => {})
  return { outcome: 'answered as damaged', ...unless(SAID.test(weir.output), `it says ${weir.output}`) }
}

function unless(holds: boolean, fault: string): { fault?: string } {
  return holds ? {} : { fault }
}

function logOf(weir: Weir, id: string): Promise<Response> {
  return fetch(`${weir.url}/api/streams/${id}/logs`, { headers: { Accept: 'application/x-ndjson' } })
}

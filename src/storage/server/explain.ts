import type { Cluster } from './cluster.ts'
import { dataPath } from './cluster.ts'

/** What a server says that can't start with its files as they are. */
const DAMAGE = [
  /invalid page in block/,
  /checkpoint record/,
  /control file/,
  /is not a valid data directory/,
  /relation mapping file|relation map/,
  /could not (open|read|access|find|stat) (file|directory|transaction)/,
  /could not access status of transaction/,
  /incorrect (checksum|resource manager data checksum)/,
  /invalid (data|magic number|record|contrecord)/,
  /unexpected pageaddr|contains invalid data|WAL ends before|requested WAL segment/,
  /cache lookup failed|could not find (tuple|pathkey)|is damaged|corrupt/,
  /database files are incompatible/,
  /configuration file .* contains errors|could not load .*pg_hba/,
]
/** It isn't damage, and says by itself what to do. */
const NOT_DAMAGE = /No space left on device|Permission denied|Too many open files|Cannot allocate memory/
/** Levels that end a process; what is only logged, such as the end of the write-ahead log, is part of every recovery. */
const FULL = /No space left on device/
const SEVERITY = /^(PANIC|FATAL): +/
const LOGGED = /^(LOG|WARNING|DETAIL|HINT|CONTEXT|STATEMENT|ERROR): +/

/** What to say when a server ended by itself. @param output the last of what it printed, with how it ended */
export function explainCrash(cluster: Cluster, output: string): string {
  const begun = 'The embedded Postgres ended unexpectedly and will be restarted'
  const full = output.split('\n').findLast((line) => FULL.test(line))
  if (full === undefined) return `${begun}. ${explainDamage(cluster, output) ?? output}`
  return `${begun}: the disk of ${cluster.directory} is full (${full.replace(SEVERITY, '')}). Free some space.`
}

/** Why a server can't start, in one or two sentences. @param output the last of what it printed, with how it ended */
export function explainEnd(cluster: Cluster, output: string): string {
  if (FULL.test(output)) {
    return `The embedded Postgres can't start: no space left on the disk of ${cluster.directory} (No space left on device).`
  }
  const damage = explainDamage(cluster, output)
  return damage ?? `The embedded Postgres can't start. Its last output:\n${output}`
}

/** The same if its files are damaged; undefined if they aren't. */
export function explainDamage(cluster: Cluster, output: string): string | undefined {
  const lines = output.split('\n').map((line) => line.replaceAll(dataPath(cluster), cluster.directory))
  const said = lines.findLast((line) => SEVERITY.test(line) && isDamage(line)) ?? lines.findLast(isDamage)
  if (said === undefined) return undefined
  const why = said.replace(SEVERITY, '').replace(/^but /, '').replace(/\.$/, '')
  return (
    `The embedded Postgres can't start: the database in ${cluster.directory} is damaged (${why}). Move that directory away ` +
    'and restore a backup with "weir restore FILE", or start without data.'
  )
}

function isDamage(line: string): boolean {
  return !LOGGED.test(line) && !NOT_DAMAGE.test(line) && DAMAGE.some((pattern) => pattern.test(line))
}

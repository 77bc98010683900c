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
]
/** It isn't damage, and says by itself what to do. */
const NOT_DAMAGE = /No space left on device|Permission denied|Too many open files|Cannot allocate memory/
/** Levels that end a process; what is only logged, such as the end of the write-ahead log, is part of every recovery. */
const SEVERITY = /^(PANIC|FATAL): +/
const LOGGED = /^(LOG|WARNING|DETAIL|HINT|CONTEXT|STATEMENT|ERROR): +/

/** Why a server ended, in one or two sentences. @param output the last of what it printed, with how it ended */
export function explainEnd(cluster: Cluster, output: string): string {
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

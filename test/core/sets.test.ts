import { expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ENTRY_KINDS, VERSION_KINDS_SQL } from '../../src/core/sets/entry-kinds.ts'
import {
  DOWN,
  IN_TROUBLE,
  SEVERITY_ARRAY,
  STATUS,
  STATUSES,
  WORST_FIRST,
} from '../../src/core/sets/statuses.ts'
import { kindOfType, STREAM_KINDS } from '../../src/core/sets/stream-kinds.ts'

const ROOT = join(import.meta.dir, '../..')
const MIGRATIONS = join(ROOT, 'drizzle/migrations')

/** The last migration that creates an index. */
function lastWith(index: string): string {
  const texts = readdirSync(MIGRATIONS)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => readFileSync(join(MIGRATIONS, name), 'utf8'))
  return texts.findLast((text) => text.includes(`CREATE INDEX "${index}"`)) ?? ''
}

test('statuses have an order from worst to best, and those in trouble come first', () => {
  expect(WORST_FIRST).toEqual(['dead', 'stalled', 'backing-off', 'degraded', 'quiet', 'live', 'stopped'])
  expect(IN_TROUBLE).toEqual(['dead', 'stalled', 'backing-off', 'degraded'])
  expect(DOWN).toEqual(['dead', 'stalled'])
  expect(new Set(STATUSES.map((status) => STATUS[status].severity)).size).toBe(STATUSES.length)
})

test('the database is indexed by what queries sort and choose by', () => {
  expect(lastWith('states_severity_index')).toContain(`'${SEVERITY_ARRAY}'::text[]`)
  expect(lastWith('entries_versions_index')).toContain(`kind IN (${VERSION_KINDS_SQL})`)
})

test.each<[file: string, words: readonly string[]]>([
  ['README.md', STATUSES],
  ['docs/glossary.md', STATUSES],
  ['docs/glossary.md', ENTRY_KINDS],
  ['docs/glossary.md', STREAM_KINDS],
])('%s names every one of %j', (file, words) => {
  const text = readFileSync(join(ROOT, file), 'utf8')
  expect(words.filter((word) => !text.includes(`\`${word}\``) && !text.includes(`**${word}**`))).toEqual([])
})

test.each([
  ['text/event-stream', 'sse'],
  [' Text/Event-Stream ; charset=utf-8', 'sse'],
  ['text/event-streams', undefined],
  ['application/x-ndjson', 'ndjson'],
  ['application/json-seq; charset=utf-8', 'ndjson'],
  ['application/json', undefined],
  [null, undefined],
])('%j is of kind %j', (type, kind) => {
  expect(kindOfType(type)).toBe(kind as never)
})

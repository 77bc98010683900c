import { sql } from 'drizzle-orm'
import type { Json } from '../../core/documents/document.ts'
import { stringifyJson } from '../../core/documents/json.ts'
import { parsePointer, select } from '../../core/documents/pointer.ts'
import { AT_REST } from '../../core/judging/alarm.ts'
import { type Condition, compileCondition } from '../../core/judging/condition.ts'
import { PatternError } from '../../core/judging/pattern.ts'
import type { StreamKind } from '../../core/sets/stream-kinds.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import { documentOf, versionAt } from '../../streams/documents/documents.ts'
import { versionsIn } from '../../streams/documents/versions.ts'
import { inScope } from '../rule-kinds/kind.ts'
import type { Rule } from '../rules.ts'
import type { Memory } from './findings.ts'

/** Documents that one evaluation builds for one rule, those that changed longest ago first; the others follow later. */
const DOCUMENTS_A_LOOK = 50
/** Total bytes of those documents, beyond the first. */
const BYTES_A_LOOK = 8_388_608
/** How much of the found value is shown. */
const FOUND_CHARS = 100

type ConditionRule = Extract<Rule, { kind: 'condition' }>
interface Changed {
  id: string
  kind: StreamKind
  changed_at: number | null
}

/**
 * Tests a condition on the documents that changed since the last test, and stores the results, which evaluations read.
 * Idempotent, so it needs no lock: two processes that test the same document get the same result.
 */
export async function tryCondition(db: Database, rule: ConditionRule): Promise<number> {
  const prepared = prepare(rule.params)
  const { rows } = (await db.execute(sql`
    SELECT scope.id, scope.kind, scope.changed_at
    FROM ${inScope(rule)} AS scope LEFT JOIN weir.alarms alarm ON alarm.stream_id = scope.id AND alarm.rule = ${rule.id}
    WHERE coalesce(scope.changed_at, 0) > coalesce((alarm.memory->>'seenAt')::float8, -1)
    ORDER BY scope.changed_at NULLS FIRST LIMIT ${DOCUMENTS_A_LOOK}`)) as { rows: Changed[] }
  let bytes = 0
  let tried = 0
  for (const stream of rows) {
    if (tried > 0 && bytes > BYTES_A_LOOK) break
    const document = await currentDocument(db, stream)
    bytes += document?.bytes ?? 0
    tried++
    const memory: Memory = { seenAt: stream.changed_at ?? 0 }
    if (document !== undefined) Object.assign(memory, prepared(document.value))
    await remember(db, rule, stream.id, memory)
  }
  return tried
}

/** A stored pattern that can't be used, such as one of an older Weir, fires: a rule must not fail silently, nor stop the others. */
function prepare(condition: Condition): (document: Json) => Pick<Memory, 'isBad' | 'found'> {
  try {
    const holds = compileCondition(condition)
    return (document) => ({ isBad: holds(document), found: said(condition.pointer, document) })
  } catch (error) {
    if (!(error instanceof PatternError)) throw error
    const found = `The rule's pattern is not supported. ${error.message} Edit the rule.`
    return () => ({ isBad: true, found })
  }
}

async function currentDocument(
  db: Database,
  stream: Changed,
): Promise<{ value: Json; bytes: number } | undefined> {
  const read = versionsIn(db)
  try {
    const { document, text } = await documentOf(read, stream, await versionAt(read, stream, 'now'))
    return { value: document, bytes: text.length }
  } catch (error) {
    // There is no document yet, or the stored one is damaged, which the stream's page says.
    if (error instanceof Problem) return undefined
    throw error
  }
}

function said(pointer: string, document: Json): string {
  const found = select(document, parsePointer(pointer) ?? []) as Json | undefined
  const what = pointer === '' ? 'The document' : pointer
  if (found === undefined) return `${what} is missing.`
  return `${what} is ${stringifyJson(found).slice(0, FOUND_CHARS)}.`
}

/** Stores nothing if the rule was changed or removed meanwhile: the result would be about the old rule. */
async function remember(db: Database, rule: ConditionRule, streamId: string, memory: Memory): Promise<void> {
  const { isFiring, streak } = AT_REST
  const asNow = sql`EXISTS (SELECT FROM weir.rules WHERE id = ${rule.id} AND updated_at = ${rule.updatedAt.toISOString()}::timestamptz)`
  await db.execute(sql`
    INSERT INTO weir.alarms (stream_id, rule, is_firing, streak, flips, seen_at, memory)
    SELECT id, ${rule.id}, ${isFiring}, ${streak}, '[]', now(), ${JSON.stringify(memory)}::jsonb
    FROM weir.streams WHERE id = ${streamId} AND ${asNow}
    ON CONFLICT (stream_id, rule) DO UPDATE SET memory = coalesce(alarms.memory, '{}') || excluded.memory`)
}

import { sql } from 'drizzle-orm'
import type { Json } from '../../core/documents/document.ts'
import { stringifyJson } from '../../core/documents/json.ts'
import { parsePointer, select } from '../../core/documents/pointer.ts'
import { AT_REST } from '../../core/judging/alarm.ts'
import { compileCondition } from '../../core/judging/condition.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import { documentOf, versionAt } from '../../streams/documents/documents.ts'
import { versionsIn } from '../../streams/documents/versions.ts'
import type { Rule } from '../rules.ts'
import type { Memory } from './findings.ts'
import { inScope } from './rule-evaluation.ts'

/** Documents that one look builds for one rule; those that changed longest ago first, the others come next. */
const DOCUMENTS_A_LOOK = 50
/** And of so many bytes together, beyond the first. */
const BYTES_A_LOOK = 8_388_608
/** What is shown of the value that was found. */
const FOUND_CHARS = 100

type ConditionRule = Extract<Rule, { kind: 'condition' }>
interface Changed {
  id: string
  kind: 'sse' | 'poll'
  changed_at: number | null
}

/**
 * Tries a condition on the documents that changed since it was last tried, and remembers what it said: looks then read
 * that. Idempotent, so that it needs no lock: whoever tries the same document finds the same.
 */
export async function tryCondition(db: Database, rule: ConditionRule): Promise<number> {
  const holds = compileCondition(rule.params)
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
    if (document !== undefined) {
      memory.isBad = holds(document.value)
      memory.found = said(rule.params.pointer, document.value)
    }
    await remember(db, rule, stream.id, memory)
  }
  return tried
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
    // It has none yet, or what is stored of it is damaged, which its own page says.
    if (error instanceof Problem) return undefined
    throw error
  }
}

function said(pointer: string, document: Json): string {
  const found = select(document, parsePointer(pointer) ?? []) as Json | undefined
  const what = pointer === '' ? 'The document' : pointer
  if (found === undefined) return `${what} isn't there.`
  return `${what} is ${stringifyJson(found).slice(0, FOUND_CHARS)}.`
}

/** Of a rule that was changed or removed meanwhile nothing is remembered: it would be about what it said before. */
async function remember(db: Database, rule: ConditionRule, streamId: string, memory: Memory): Promise<void> {
  const { isFiring, streak } = AT_REST
  const asNow = sql`EXISTS (SELECT FROM weir.rules WHERE id = ${rule.id} AND updated_at = ${rule.updatedAt.toISOString()}::timestamptz)`
  await db.execute(sql`
    INSERT INTO weir.alarms (stream_id, rule, is_firing, streak, flips, seen_at, memory)
    SELECT id, ${rule.id}, ${isFiring}, ${streak}, '[]', now(), ${JSON.stringify(memory)}::jsonb
    FROM weir.streams WHERE id = ${streamId} AND ${asNow}
    ON CONFLICT (stream_id, rule) DO UPDATE SET memory = coalesce(alarms.memory, '{}') || excluded.memory`)
}

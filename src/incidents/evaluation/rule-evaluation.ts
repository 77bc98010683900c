import { MINUTE_MS } from '../../core/time.ts'
import type { Database } from '../../storage/storage.ts'
import { ruleKind } from '../rule-kinds.ts'
import type { Rule } from '../rules.ts'
import { type Finding, findingsOf } from './findings.ts'

const EARLY_MS = 1_000

/** Whether a rule is due. A time that lies in the future after a clock jumped back doesn't delay it. */
export function isDue({ kind, isEnabled, lookedAt }: Rule, now: number): boolean {
  if (!isEnabled) return false
  if (ruleKind(kind).isEager || lookedAt === null) return true
  const elapsed = now - lookedAt.getTime()
  return elapsed < 0 || elapsed >= MINUTE_MS - EARLY_MS
}

/** A rule's findings about its streams, where they are new. */
export function ruleFindings(tx: Database, rule: Rule, now: number): Promise<Finding[]> {
  const kind = ruleKind(rule.kind)
  return findingsOf(tx, rule.id, rule.kind, kind.evaluations(rule, rule.params, now), kind.also)
}

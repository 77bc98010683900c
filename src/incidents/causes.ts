import type { Severity } from '../channels/message.ts'
import { eachRuleKind, RULE_KIND, RULE_KINDS } from './rule-kinds.ts'

/** What an incident can be about: its severity and label. */
export const CAUSES = {
  stalled: { severity: 'warning', label: 'is stalled' },
  dead: { severity: 'critical', label: 'is dead' },
  degraded: { severity: 'warning', label: 'is degraded' },
  flapping: { severity: 'warning', label: 'is flapping' },
  host: { severity: 'critical', label: 'Host' },
  egress: { severity: 'critical', label: 'Outbound network' },
  workers: { severity: 'critical', label: 'Workers' },
  certificate: { severity: 'warning', label: 'Certificate' },
  ...eachRuleKind(({ cause }) => cause),
} satisfies Record<string, { severity: Severity; label: string }>
export type Cause = keyof typeof CAUSES

/** The built-in rule: the status of a stream, under the name that alarms are stored with. */
export const STATUS_RULE = 'verdict'
/** The built-in rule for streams that fail only in part: a stream that is dead for a while may be degraded before and after. */
export const DEGRADED_RULE = 'degraded'
/** Causes that an unreachable host or a broken outbound network explains; the others would occur anyway. */
export const EXPLAINED: readonly Cause[] = [
  'stalled',
  'dead',
  'degraded',
  'flapping',
  ...RULE_KINDS.filter((kind) => RULE_KIND[kind].isExplained),
]
/** Causes that failing streams share. */
export const SHARED: readonly Cause[] = ['host', 'egress', 'workers']
/** Causes that need evidence that Weir's own outbound network works. */
export const BLAMES: readonly Cause[] = [
  'stalled',
  'dead',
  'degraded',
  'flapping',
  'host',
  ...RULE_KINDS.filter((kind) => RULE_KIND[kind].isBlame),
]

export function severityOf(cause: string): Severity {
  return CAUSES[cause as Cause]?.severity ?? 'warning'
}

export function streamTitle(name: string, cause: Cause): string {
  return `${name} ${CAUSES[cause].label}`
}

import type { Severity } from '../channels/message.ts'

/** What an incident can be of: how bad that is, and what it is called. */
export const CAUSES = {
  stalled: { severity: 'warning', label: 'is stalled' },
  dead: { severity: 'critical', label: 'is dead' },
  flapping: { severity: 'warning', label: 'comes and goes' },
  host: { severity: 'critical', label: 'Host' },
  egress: { severity: 'critical', label: "Weir's way out" },
  workers: { severity: 'critical', label: 'Workers' },
  errorRate: { severity: 'warning', label: 'fails too often' },
  changed: { severity: 'info', label: 'has changed' },
  unchanged: { severity: 'warning', label: 'has not changed for too long' },
  changeRate: { severity: 'warning', label: 'changes unusually' },
  size: { severity: 'warning', label: 'has an unusual size' },
  condition: { severity: 'warning', label: 'meets a condition' },
} as const satisfies Record<string, { severity: Severity; label: string }>
export type Cause = keyof typeof CAUSES

/** The built-in rule: what the verdict says. */
export const VERDICT_RULE = 'verdict'
/** Causes that a host or a way out that is down explains; the others would be there without. */
export const EXPLAINED: readonly Cause[] = [
  'stalled',
  'dead',
  'flapping',
  'errorRate',
  'unchanged',
  'changeRate',
]
/** Causes that are what many streams have in common. */
export const SHARED: readonly Cause[] = ['host', 'egress', 'workers']
/** Causes that evidence is needed for that it isn't Weir's own way out. */
export const BLAMES: readonly Cause[] = ['stalled', 'dead', 'flapping', 'host', 'errorRate']

export function severityOf(cause: string): Severity {
  return CAUSES[cause as Cause]?.severity ?? 'warning'
}

export function streamTitle(name: string, cause: Cause): string {
  return `${name} ${CAUSES[cause].label}`
}

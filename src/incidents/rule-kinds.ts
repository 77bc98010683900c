import { changeRate, size } from './rule-kinds/band.ts'
import { changed } from './rule-kinds/changed.ts'
import { condition } from './rule-kinds/condition.ts'
import { errorRate } from './rule-kinds/error-rate.ts'
import type { RuleKind as Kind } from './rule-kinds/kind.ts'
import { unchanged } from './rule-kinds/unchanged.ts'

/** Every kind of rule, in the order of the form. */
export const RULE_KIND = { errorRate, changed, unchanged, changeRate, size, condition }

export type RuleKind = keyof typeof RULE_KIND
export const RULE_KINDS = Object.keys(RULE_KIND) as RuleKind[]

type ParamsOf<K extends RuleKind> = (typeof RULE_KIND)[K] extends Kind<infer Params> ? Params : never
/** A kind with its own parameters. */
export type RuleParams = { [K in RuleKind]: { kind: K; params: ParamsOf<K> } }[RuleKind]

/** A kind with any parameters: they are checked against its schema before they are stored. */
export function ruleKind(kind: RuleKind): Kind<unknown> {
  return RULE_KIND[kind] as Kind<unknown>
}

/** Something for every kind. */
export function eachRuleKind<T>(of: (kind: Kind<unknown>) => T): Record<RuleKind, T> {
  return Object.fromEntries(RULE_KINDS.map((kind) => [kind, of(ruleKind(kind))])) as Record<RuleKind, T>
}

import type { Scope } from '../core/sets/scopes.ts'
import { Problem } from '../errors.ts'
import { type Caller, covers } from './caller.ts'

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Whether a method only reads. */
export function isSafe(method: string): boolean {
  return SAFE_METHODS.has(method)
}

/** @throws Problem `forbidden_scope` if a caller lacks that scope */
export function checkScope(caller: Caller | undefined, needed: Scope): void {
  if (caller !== undefined && covers(caller.scope, needed)) return
  const whose = caller === undefined ? 'you have none' : `the key "${caller.name}" has scope ${caller.scope}`
  throw new Problem('forbidden_scope', `This requires scope ${needed}, but ${whose}.`)
}

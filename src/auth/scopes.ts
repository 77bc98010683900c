import { Problem } from '../errors.ts'
import { type Caller, covers, type Scope } from './caller.ts'

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Whether a method only reads. */
export function isSafe(method: string): boolean {
  return SAFE_METHODS.has(method)
}

/** @throws Problem `forbidden_scope` where a caller may not do what needs that scope */
export function checkScope(caller: Caller | undefined, needed: Scope): void {
  if (caller !== undefined && covers(caller.scope, needed)) return
  const whose =
    caller === undefined ? 'Nobody' : `The key "${caller.name}", which has the scope ${caller.scope},`
  throw new Problem('forbidden_scope', `${whose} may not do that: it needs the scope ${needed}.`)
}

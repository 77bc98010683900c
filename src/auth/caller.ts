import { SCOPES } from '../../drizzle/schema.ts'

/** From what it may do the least to all: each may do what those before it may. */
export type Scope = (typeof SCOPES)[number]

/** Whoever a request comes from, as the door found out. */
export interface Caller {
  /** `token` with WEIR_TOKEN, `key:<uuid>` with a key, `local` where no token is asked for. */
  id: string
  /** For people. */
  name: string
  scope: Scope
}

/** The one that loopback without a token belongs to. */
export const LOCAL: Caller = { id: 'local', name: 'local', scope: 'admin' }
/** Whoever holds WEIR_TOKEN. */
export const OWNER: Caller = { id: 'token', name: 'owner', scope: 'admin' }

const callers = new WeakMap<Request, Caller>()

/** Who sends a request: undefined for what is open to everybody, and before the door has looked. */
export function callerOf(request: Request): Caller | undefined {
  return callers.get(request)
}

/** To be called by the door alone. */
export function admit(request: Request, caller: Caller): void {
  callers.set(request, caller)
}

/** Whether someone with a scope may do what needs another. */
export function covers(scope: Scope, needed: Scope): boolean {
  return SCOPES.indexOf(scope) >= SCOPES.indexOf(needed)
}

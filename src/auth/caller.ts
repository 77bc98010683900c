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

/** How a caller was known: by a browser's cookie, by a secret that a program sends, or because everybody is let in. */
export type Carried = 'cookie' | 'secret' | 'open'

/** What lets a caller in, and what may end while it is used. */
export interface Admission {
  caller: Caller
  how: Carried
  /** The key or session that may be revoked or expire: `key:<uuid>`, `session:<digest>`; undefined for what can't. */
  credential?: string
}

/** The one that loopback without a token belongs to. */
export const LOCAL: Caller = { id: 'local', name: 'local', scope: 'admin' }
/** Whoever holds WEIR_TOKEN. */
export const OWNER: Caller = { id: 'token', name: 'owner', scope: 'admin' }

const admissions = new WeakMap<Request, Admission>()

/** How a request was let in: undefined for what is open to everybody, and before the door has looked. */
export function admissionOf(request: Request): Admission | undefined {
  return admissions.get(request)
}

/** Who sends a request; undefined as for {@link admissionOf}. */
export function callerOf(request: Request): Caller | undefined {
  return admissions.get(request)?.caller
}

/** To be called by the gate and the login alone. */
export function admit(request: Request, admission: Admission): void {
  admissions.set(request, admission)
}

/** Whether someone with a scope may do what needs another. */
export function covers(scope: Scope, needed: Scope): boolean {
  return SCOPES.indexOf(scope) >= SCOPES.indexOf(needed)
}

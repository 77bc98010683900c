import { SCOPES, type Scope } from '../core/sets/scopes.ts'

/** Who a request comes from. */
export interface Caller {
  /** `token` with WEIR_TOKEN, `key:<uuid>` with a key, `link` with a signed link, `local` if no token is required. */
  id: string
  /** For people. */
  name: string
  scope: Scope
}

/** How a caller was identified: by a browser's cookie, by a secret that a program sends, by a signed link, or because sign-in is off. */
export type Carried = 'cookie' | 'secret' | 'link' | 'open'

/** A caller's access, and the credential that may end while it is used. */
export interface Admission {
  caller: Caller
  how: Carried
  /** The key or session, which may be revoked or expire: `key:<uuid>`, `session:<digest>`; undefined for others. */
  credential?: string
}

/** The caller on loopback without a token. */
export const LOCAL: Caller = { id: 'local', name: 'local', scope: 'admin' }
/** The holder of WEIR_TOKEN. */
export const OWNER: Caller = { id: 'token', name: 'owner', scope: 'admin' }
/** Who opens a signed link: admitted to the one page that the link is for, and no stream's owner. */
export const LINK_READER: Caller = { id: 'link', name: 'link', scope: 'read' }

const admissions = new WeakMap<Request, Admission>()

/** How a request was admitted: undefined for open routes, and before the gate has run. */
export function admissionOf(request: Request): Admission | undefined {
  return admissions.get(request)
}

/** The caller of a request; undefined as for {@link admissionOf}. */
export function callerOf(request: Request): Caller | undefined {
  return admissions.get(request)?.caller
}

/** Called by the gate and sign-in only. */
export function admit(request: Request, admission: Admission): void {
  admissions.set(request, admission)
}

/** Whether a scope includes another. */
export function covers(scope: Scope, needed: Scope): boolean {
  return SCOPES.indexOf(scope) >= SCOPES.indexOf(needed)
}

import { admissionOf, type Caller, type Carried } from '../../auth/caller.ts'
import { type Preferences, preferencesOf } from '../settings/preferences.ts'

/** Who a page is for, and how they like it. Live fragments are made without it: all readers of a view share them. */
export interface Reader extends Preferences {
  /** Undefined where no sign-in is needed, and before the gate has decided. */
  caller: Caller | undefined
  /** How the caller was identified. */
  how: Carried | undefined
}

/** The reader of the page that a request asks for. */
export function readerOf(request: Request): Reader {
  const { caller, how } = admissionOf(request) ?? {}
  return { ...preferencesOf(request), caller, how }
}

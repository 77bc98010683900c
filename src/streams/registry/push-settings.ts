import { HIDDEN } from '../../core/hidden.ts'
import { factsOf, type PushSettings } from '../../core/sets/push-schemes.ts'
import { Problem } from '../../errors.ts'

/**
 * The settings of a change, with the secret that is stored if the change hides or omits it.
 * @throws Problem `invalid_field` if there is none
 */
export function changedPush(known: PushSettings | null, change: PushSettings): PushSettings {
  const { secret, ...rest } = change
  if (!factsOf(change.scheme).isSigned) return rest
  if (secret !== undefined && secret !== HIDDEN) return change
  if (known?.secret === undefined || known.scheme !== change.scheme) {
    throw new Problem('invalid_field', 'push.secret: set the secret that the sender signs with.', 'push')
  }
  return { ...rest, secret: known.secret }
}

/** The settings to show: without the secret. */
export function shownPush(settings: PushSettings | null): PushSettings | null {
  return settings?.secret === undefined ? settings : { ...settings, secret: HIDDEN }
}

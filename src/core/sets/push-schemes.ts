/** How a sender proves that what it pushes is its own. */
interface PushSchemeFacts {
  label: string
  /** Whether it needs a secret. */
  isSigned: boolean
  /** The header that identifies a delivery; none if its body does, or nothing. */
  idHeader?: string
  /** The header that names its event. */
  eventHeader?: string
  /** Where the body says it, as JSON Pointer, unless a header does. */
  idPointer?: string
  eventPointer?: string
}

/** The schemes of push streams. */
export const PUSH_SCHEME = {
  none: { label: 'None: whoever has the URL', isSigned: false },
  github: {
    label: 'GitHub',
    isSigned: true,
    idHeader: 'x-github-delivery',
    eventHeader: 'x-github-event',
  },
  stripe: { label: 'Stripe', isSigned: true, idPointer: '/id', eventPointer: '/type' },
  'standard-webhooks': {
    label: 'Standard Webhooks',
    isSigned: true,
    idHeader: 'webhook-id',
    eventPointer: '/type',
  },
  'hmac-sha256-header': { label: 'HMAC-SHA256 in a header', isSigned: true },
} as const satisfies Record<string, PushSchemeFacts>

export type PushScheme = keyof typeof PUSH_SCHEME
export const PUSH_SCHEMES = Object.keys(PUSH_SCHEME) as PushScheme[]

export function factsOf(scheme: PushScheme): PushSchemeFacts {
  return PUSH_SCHEME[scheme]
}

/** How what is pushed to a stream is verified and identified. */
export interface PushSettings {
  scheme: PushScheme
  secret?: string
  /** The header with the signature (`hmac-sha256-header`). */
  header?: string
  /** Where a delivery's ID is: a JSON Pointer into its body, or the name of a header. Default: the scheme's. */
  idFrom?: string
  /** How far a signed time may be from now, in milliseconds (`stripe`, `standard-webhooks`). Default: 5 min. */
  toleranceMs?: number
}

export const DEFAULT_PUSH: PushSettings = { scheme: 'none' }

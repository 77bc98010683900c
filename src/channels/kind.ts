import type { TObject } from '@sinclair/typebox'
import { HIDDEN } from '../core/hidden.ts'
import type { EgressFetch } from '../net/egress.ts'
import type { StoredMessage } from './message.ts'

/** One way to reach people, with its configuration. */
export interface ChannelKind<C extends object = Record<string, unknown>> {
  readonly name: string
  /** Name for people. */
  readonly label: string
  /** Schema of the config: strings, numbers, choices and lists of strings, each with a title. Forms are built from it. */
  readonly schema: TObject
  /** Fields of the config that are never shown again. */
  readonly secrets: readonly (keyof C & string)[]
  /** Secrets that are sent to the target as they are, and must never be sent to another. */
  readonly credentials?: readonly (keyof C & string)[]
  /** An initial config, where one helps. */
  example?(): Partial<C>
  /**
   * Checks what the schema can't express.
   * @returns the invalid field, and why
   */
  check?(config: C): { field: keyof C & string; detail: string } | undefined
  /** Carries values over from the previous config. */
  succeed?(before: C, after: C): C
  /** The target. People see only the host. */
  target(config: C): { host: string; port: number }
  /** Texts to hide everywhere: responses often repeat what they were sent. */
  masks(config: C): readonly string[]
  /** Makes one attempt. Every outcome is a value; a throw is a bug. Ends when the signal is aborted. */
  send(config: C, message: StoredMessage, tools: SendTools): Promise<Sending>
}

export interface SendTools {
  /** ID of the delivery: the same in every attempt, so that receivers can detect duplicates. */
  id: string
  /** When this attempt is made. */
  at: Date
  /** Aborted when the attempt times out, or Weir shuts down. */
  signal: AbortSignal
  /** Fetch with egress checks. */
  fetch: EgressFetch
  /** Resolves a host to its allowed addresses. @throws EgressError */
  resolve(host: string, port: number, signal: AbortSignal): Promise<string[]>
}

/** The request; without secrets once {@link masked}. */
export interface SentRequest {
  method: string
  url: string
  headers: Record<string, string>
  body: string
}

/** The response, with its body cut. */
export interface ReceivedResponse {
  status: number
  headers: Record<string, string>
  body: string
}

/** Why an attempt failed. */
export type SendErrorCode =
  | 'not_allowed'
  | 'host_unknown'
  | 'connection_failed'
  | 'timeout'
  /** Weir shut down during the attempt. */
  | 'interrupted'
  /** An HTTP status that isn't 2xx. */
  | 'bad_status'
  /** A mail server refused the message, the sender, all recipients or the password. */
  | 'refused'
  /** A mail server without trusted encryption. */
  | 'bad_tls'

export interface SendError {
  code: SendErrorCode
  message: string
}

/** One attempt. */
export interface Sending {
  request?: SentRequest
  response?: ReceivedResponse
  durationMs: number
  outcome: AttemptOutcome
}

export type AttemptOutcome =
  | { result: 'delivered' }
  /** It may work later. */
  | { result: 'retry'; error: SendError; retryAfterMs?: number }
  /** The receiver will never accept this message. */
  | { result: 'failed'; error: SendError }
  /** The receiver no longer exists. */
  | { result: 'gone'; error: SendError }

/** Shorter texts aren't hidden: that would mask half of the output. */
const MIN_MASK_CHARS = 4

/** An attempt with its secrets hidden. */
export function masked(sending: Sending, masks: readonly string[]): Sending {
  const known = masks.filter((mask) => mask.length >= MIN_MASK_CHARS).sort((a, b) => b.length - a.length)
  const all = [
    ...new Set(known.flatMap((mask) => [mask, encodeURIComponent(mask), JSON.stringify(mask).slice(1, -1)])),
  ]
  const hide = (text: string) => all.reduce((shown, mask) => shown.replaceAll(mask, HIDDEN), text)
  const hideAll = (headers: Record<string, string>) =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, hide(value)]))
  const { request, response, outcome } = sending
  return {
    ...sending,
    ...(request && {
      request: {
        ...request,
        url: hide(request.url),
        headers: hideAll(request.headers),
        body: hide(request.body),
      },
    }),
    ...(response && {
      response: { ...response, headers: hideAll(response.headers), body: hide(response.body) },
    }),
    outcome:
      outcome.result === 'delivered'
        ? outcome
        : { ...outcome, error: { ...outcome.error, message: hide(outcome.error.message) } },
  }
}

import type { TObject } from '@sinclair/typebox'
import type { EgressFetch } from '../net/egress.ts'
import type { StoredMessage } from './message.ts'

/** One way to reach people, with what it needs to be told for that. */
export interface ChannelKind<C extends object = Record<string, unknown>> {
  readonly name: string
  /** What it is, for people. */
  readonly label: string
  /** Its config: strings, numbers, choices and lists of strings, each with a title; forms are made of it. */
  readonly schema: TObject
  /** Fields of the config that are never shown again. */
  readonly secrets: readonly (keyof C & string)[]
  /** Those of them that the target is sent as they are: they were given for it, and are no other one's. */
  readonly credentials?: readonly (keyof C & string)[]
  /** A config to begin with, where one helps. */
  example?(): Partial<C>
  /**
   * What the schema can't say.
   * @returns the field that is wrong, and why
   */
  check?(config: C): { field: keyof C & string; detail: string } | undefined
  /** What a changed config takes over from the one before. */
  succeed?(before: C, after: C): C
  /** Where it sends to. The host is all that people see of it. */
  target(config: C): { host: string; port: number }
  /** Every text that must not be seen wherever it comes from: answers like to repeat what they were sent. */
  masks(config: C): readonly string[]
  /** One attempt. Whatever comes of it is a value; what it throws is a bug. Ends when the signal says so. */
  send(config: C, message: StoredMessage, tools: SendTools): Promise<Sending>
}

export interface SendTools {
  /** The delivery's: the same with every attempt, so that receivers can tell a repetition. */
  id: string
  /** When this attempt is made. */
  at: Date
  /** Aborted when the attempt has taken too long, or Weir closes. */
  signal: AbortSignal
  /** Reaches only what Weir may reach. */
  fetch: EgressFetch
  /** The addresses of a host that may be connected to. @throws EgressError */
  resolve(host: string, port: number, signal: AbortSignal): Promise<string[]>
}

/** What is sent; without secrets, once {@link masked}. */
export interface SentRequest {
  method: string
  url: string
  headers: Record<string, string>
  body: string
}

/** What came back, its body cut. */
export interface ReceivedResponse {
  status: number
  headers: Record<string, string>
  body: string
}

/** Why an attempt didn't deliver. */
export type SendErrorCode =
  | 'not_allowed'
  | 'host_unknown'
  | 'connection_failed'
  | 'timeout'
  /** Weir was closed while it waited. */
  | 'interrupted'
  /** An HTTP status that isn't 2xx. */
  | 'bad_status'
  /** What a mail server says to refuse a message, a sender, all recipients or a password. */
  | 'refused'
  /** A mail server whose encryption can't be trusted, or that has none. */
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
  outcome: Outcome
}

export type Outcome =
  | { result: 'delivered' }
  /** Later it may work. */
  | { result: 'retry'; error: SendError; retryAfterMs?: number }
  /** This message will never be taken. */
  | { result: 'failed'; error: SendError }
  /** Nothing will ever be taken there again. */
  | { result: 'gone'; error: SendError }

/** Stands for what is never shown. */
export const HIDDEN = '•••'
/** Anything shorter isn't taken for a secret: it would hide half of the text. */
const MIN_MASK_CHARS = 4

/** An attempt without the texts that must not be seen. */
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

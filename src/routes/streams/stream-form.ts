import type { Messages } from '../../../drizzle/schema.ts'
import type { StreamFormData } from '../../../views/stream/edit.tsx'
import { HIDDEN } from '../../core/hidden.ts'
import { DEFAULT_PUSH } from '../../core/sets/push-schemes.ts'
import { eachField, PLAIN_FIELDS } from '../../core/sets/stream-fields.ts'
import { DAY_MS } from '../../core/time.ts'
import { Problem } from '../../errors.ts'
import type { Stream } from '../../streams/ingest/run.ts'
import { changedHeaders } from '../../streams/registry/changed-headers.ts'
import { SECRET_MESSAGES, shownMessages } from '../../streams/registry/messages.ts'
import { shownPush } from '../../streams/registry/push-settings.ts'
import type { StreamChange } from '../../streams/registry/registration.ts'
import { registeredOptions } from '../../streams/registry/request-options.ts'
import { optionFacts, optionsIn, optionValues } from './option-form.ts'

const MEGABYTE = 1_000_000

type Values = Readonly<Record<string, string>>

/** The form that edits a stream: with its current values, or with what was typed and the error. */
export function streamForm(
  stream: Stream,
  channels: readonly string[],
  typed?: { values: Values; error?: StreamFormData['error']; dropping?: StreamFormData['dropping'] },
): StreamFormData {
  return {
    stream,
    values: typed?.values ?? valuesOf(stream),
    headers: Object.keys(stream.headers),
    ...optionFacts(stream),
    messages: SECRET_MESSAGES.filter((name) => stream.messages?.[name] !== undefined),
    channels,
    fixed: fixedBy(stream),
    resumes: typed === undefined ? stream.resumes : typed.values.resumes !== undefined,
    alwaysOn: typed === undefined ? stream.alwaysOn : typed.values.alwaysOn !== undefined,
    error: typed?.error,
    dropping: typed?.dropping,
  }
}

/**
 * The headers that a change would drop because its URL has a different origin, unless the form has warned of all of
 * them.
 * @throws Problem `invalid_field`
 */
export function untoldDrops(
  stream: Stream,
  values: Values,
  change: StreamChange,
): StreamFormData['dropping'] {
  const { droppedHeaders } = changedHeaders(stream, change)
  if (change.url === undefined || droppedHeaders.length === 0) return undefined
  const { origin } = new URL(change.url)
  const [toldOf, ...told] = values.dropping?.split(' ') ?? []
  if (toldOf === origin && droppedHeaders.every((name) => told.includes(name))) return undefined
  return { from: new URL(stream.url).origin, to: origin, headers: droppedHeaders }
}

/**
 * The changes that a form makes to a stream, without unchanged values: some changes start a new document. Empty if
 * nothing differs. Values are as typed: they are checked like any change.
 * @throws Problem `invalid_field` for an invalid header line
 */
export function changeOf(stream: Stream, values: Values): Record<string, unknown> {
  const wanted: Record<string, unknown> = {
    name: values.name?.trim() ?? '',
    ...plainIn(values, (part) => part !== 'response'),
    ...deadAfterOf(values),
    retention: retentionOf(values),
    ...(fixedBy(stream) === undefined && askedOf(stream, values)),
    ...(stream.proxyKey !== null && { alwaysOn: values.alwaysOn !== undefined }),
  }
  const headers = Object.fromEntries(Object.keys(stream.headers).map((name) => [name, HIDDEN]))
  const options = registeredOptions(stream, false)
  const now = {
    ...{ ...stream, ...options, headers },
    messages: shownMessages(stream.messages),
    body: stream.body ?? '',
    push: shownPush(stream.push),
  } as unknown as Record<string, unknown>
  const changed = Object.entries(wanted).filter(([field, value]) => !Bun.deepEquals(value, now[field]))
  const change = Object.fromEntries(changed)
  // Whether a body may be sent depends on the method.
  return 'body' in change || 'method' in change
    ? { ...change, method: wanted.method, body: wanted.body }
    : change
}

function askedOf(stream: Stream, values: Values): Record<string, unknown> {
  return {
    url: sameUrl(values.url?.trim() ?? '', stream.url),
    kind: values.kind ?? stream.kind,
    method: values.method ?? stream.method,
    headers: headersOf(stream.headers, values),
    body: values.body?.replaceAll('\r\n', '\n') ?? '',
    ...optionsIn(stream, values),
    ...plainIn(values, (part) => part === 'response'),
    ...(values['messages.idPointer'] !== undefined && { messages: messagesOf(stream.messages, values) }),
    ...(values.intervalSeconds !== undefined && { intervalMs: scaled(values.intervalSeconds, 1_000) }),
    ...(values.silenceSeconds !== undefined && { silenceMs: optional(values.silenceSeconds, 1_000) }),
    ...(values.pushScheme === undefined
      ? values.silenceSeconds !== undefined && { resumes: values.resumes !== undefined }
      : { push: pushOf(stream, values) }),
  }
}

/** Null as long as nothing was set. A secret that isn't typed stays, unless another scheme needs another. */
function pushOf({ push }: Stream, { pushScheme, pushSecret, pushHeader, pushIdFrom }: Values) {
  const kept = push?.secret !== undefined && push.scheme === pushScheme ? HIDDEN : undefined
  const secret = pushScheme === 'none' ? undefined : pushSecret || kept
  const wanted = {
    scheme: pushScheme,
    ...(secret && { secret }),
    ...(pushHeader?.trim() && { header: pushHeader.trim() }),
    ...(pushIdFrom?.trim() && { idFrom: pushIdFrom.trim() }),
    ...(push?.toleranceMs !== undefined && { toleranceMs: push.toleranceMs }),
  }
  return push === null && Bun.deepEquals(wanted, DEFAULT_PUSH) ? null : wanted
}

function plainIn(values: Values, isIn: (part: (typeof PLAIN_FIELDS)[number]['part']) => boolean) {
  return eachField(
    ({ name, type, separator = ',' }) =>
      type === 'list' ? splitList(values[name], separator) : (values[name]?.trim() ?? ''),
    PLAIN_FIELDS.filter(({ part }) => isIn(part)),
  )
}

/** The stream's messages, with hidden texts, unless they are removed or given again. */
function messagesOf(stored: Stream['messages'], values: Values): Stream['messages'] {
  const typed = (name: keyof Messages) => values[`messages.${name}`]?.replaceAll('\r\n', '\n').trim()
  const texts = SECRET_MESSAGES.flatMap((name) => {
    const isKept = stored?.[name] !== undefined && values[`remove.messages.${name}`] === undefined
    const text = typed(name) || (isKept ? HIDDEN : '')
    return text === '' ? [] : [[name, text]]
  })
  const [idPointer, protocol, seconds] = [typed('idPointer'), typed('protocol'), typed('pingMs')]
  const messages = {
    ...Object.fromEntries(texts),
    ...(idPointer && { idPointer }),
    ...(protocol && { protocol }),
    ...(seconds && { pingMs: scaled(seconds, 1_000) }),
  }
  return Object.keys(messages).length === 0 ? null : messages
}

/** The stream's headers, with hidden values, unless they are removed or given a new value, and the added ones. */
function headersOf(known: Stream['headers'], values: Values): Record<string, string> {
  const kept = Object.keys(known)
    .filter((name) => values[`remove.${name}`] === undefined)
    .map((name) => [name, values[`header.${name}`] || HIDDEN])
  const added = headersIn(values.headers)
  const names = new Set(added.map(([name]) => name?.toLowerCase()))
  return Object.fromEntries([...kept.filter(([name]) => !names.has(name?.toLowerCase() ?? '')), ...added])
}

/** Headers as typed, one per line. @throws Problem `invalid_field` */
export function headersIn(text: string | undefined): [name: string, value: string][] {
  return splitList(text, '\n').map((line) => {
    const at = line.indexOf(':')
    if (at > 0) return [line.slice(0, at).trim(), line.slice(at + 1).trim()]
    throw new Problem('invalid_field', 'headers: expected Name: value, one per line.', 'headers')
  })
}

/** Splits text at a separator and drops empty parts. */
export function splitList(text: string | undefined, separator: string): string[] {
  return (text ?? '')
    .split(separator)
    .map((each) => each.trim())
    .filter(Boolean)
}

function deadAfterOf({ deadAfterFailures, deadAfterSeconds }: Values): Record<string, number | null> {
  return {
    ...(deadAfterFailures !== undefined && { deadAfterFailures: optional(deadAfterFailures, 1) }),
    ...(deadAfterSeconds !== undefined && { deadAfterMs: optional(deadAfterSeconds, 1_000) }),
  }
}

function retentionOf(values: Values): Record<string, number> | null {
  const { retentionDays, retentionEntries, retentionMegabytes } = values
  const bounds = {
    ...(retentionDays?.trim() && { maxAgeMs: scaled(retentionDays, DAY_MS) }),
    ...(retentionEntries?.trim() && { maxEntries: Number(retentionEntries) }),
    ...(retentionMegabytes?.trim() && { maxBytes: scaled(retentionMegabytes, MEGABYTE) }),
  }
  return Object.keys(bounds).length === 0 ? null : bounds
}

function valuesOf(stream: Stream): Record<string, string> {
  const { retention, silenceMs, deadAfterFailures, deadAfterMs } = stream
  const text = (value: number | null | undefined, unit: number) => String(value == null ? '' : value / unit)
  return {
    name: stream.name,
    url: stream.url,
    kind: stream.kind,
    method: stream.method,
    body: stream.body ?? '',
    ...optionValues(stream),
    'messages.idPointer': stream.messages?.idPointer ?? '',
    'messages.protocol': stream.messages?.protocol ?? '',
    'messages.pingMs': text(stream.messages?.pingMs, 1_000),
    intervalSeconds: String(stream.intervalMs / 1_000),
    silenceSeconds: text(silenceMs, 1_000),
    pushScheme: stream.push?.scheme ?? DEFAULT_PUSH.scheme,
    pushHeader: stream.push?.header ?? '',
    pushIdFrom: stream.push?.idFrom ?? '',
    deadAfterFailures: text(deadAfterFailures, 1),
    deadAfterSeconds: text(deadAfterMs, 1_000),
    ...eachField(({ name, separator = ', ' }) => [stream[name]].flat().join(separator)),
    retentionDays: text(retention?.maxAgeMs, DAY_MS),
    retentionEntries: text(retention?.maxEntries, 1),
    retentionMegabytes: text(retention?.maxBytes, MEGABYTE),
  }
}

function fixedBy({ proxyKey, twinOf }: Stream): StreamFormData['fixed'] {
  if (proxyKey !== null) return 'proxied'
  return twinOf === null ? undefined : 'twin'
}

/** URLs are stored normalized: one that normalizes to the same is no change. */
function sameUrl(typed: string, known: string): string {
  return URL.canParse(typed) && new URL(typed).href === known ? known : typed
}

/** A number that may be left empty, for the default. */
function optional(text: string, unit: number): number | null {
  return text.trim() === '' ? null : scaled(text, unit)
}

function scaled(text: string, unit: number): number {
  return text.trim() === '' ? Number.NaN : Math.round(Number(text) * unit)
}

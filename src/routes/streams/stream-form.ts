import type { StreamFormData } from '../../../views/stream/edit.tsx'
import { HIDDEN } from '../../core/hidden.ts'
import { Problem } from '../../errors.ts'
import type { Stream } from '../../streams/ingest/run.ts'
import { changedHeaders } from '../../streams/registry/changed-headers.ts'
import type { Change } from '../../streams/registry/registration.ts'

const DAY_MS = 86_400_000
const MEGABYTE = 1_000_000

type Values = Readonly<Record<string, string>>

/** The form that changes a stream: with what it is, or what was typed and what is wrong with that. */
export function streamForm(
  stream: Stream,
  channels: readonly string[],
  typed?: { values: Values; error?: StreamFormData['error']; dropping?: StreamFormData['dropping'] },
): StreamFormData {
  return {
    stream,
    values: typed?.values ?? valuesOf(stream),
    headers: Object.keys(stream.headers),
    channels,
    fixed: fixedBy(stream),
    alwaysOn: typed === undefined ? stream.alwaysOn : typed.values.alwaysOn !== undefined,
    error: typed?.error,
    dropping: typed?.dropping,
  }
}

/**
 * The headers that a change would drop, as its URL leads to another origin, where whoever filled the form in hasn't been
 * told of all of these.
 * @throws Problem `invalid_field`
 */
export function untoldDrops(stream: Stream, values: Values, change: Change): StreamFormData['dropping'] {
  const { droppedHeaders } = changedHeaders(stream, change)
  if (change.url === undefined || droppedHeaders.length === 0) return undefined
  const { origin } = new URL(change.url)
  const [toldOf, ...told] = values.dropping?.split(' ') ?? []
  if (toldOf === origin && droppedHeaders.every((name) => told.includes(name))) return undefined
  return { from: new URL(stream.url).origin, to: origin, headers: droppedHeaders }
}

/**
 * What a form changes about a stream; what is the same is left out, as some changes make its document begin anew. Empty
 * when nothing is different. Values are as typed: they are checked as any change is.
 * @throws Problem `invalid_field` for a header that is none
 */
export function changeOf(stream: Stream, values: Values): Record<string, unknown> {
  const wanted: Record<string, unknown> = {
    name: values.name?.trim() ?? '',
    tags: listOf(values.tags, ','),
    notify: listOf(values.notify, ','),
    retention: retentionOf(values),
    ...(fixedBy(stream) === undefined && askedOf(stream, values)),
    ...(stream.proxyKey !== null && { alwaysOn: values.alwaysOn !== undefined }),
  }
  const headers = Object.fromEntries(Object.keys(stream.headers).map((name) => [name, HIDDEN]))
  const now = { ...stream, headers, body: stream.body ?? '' } as unknown as Record<string, unknown>
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
    payloadPointer: values.payloadPointer?.trim() ?? '',
    ignorePaths: listOf(values.ignorePaths, '\n'),
    arrayKeys: listOf(values.arrayKeys, ','),
    ...(values.intervalSeconds !== undefined && { intervalMs: scaled(values.intervalSeconds, 1_000) }),
    ...(values.silenceSeconds !== undefined && {
      silenceMs: values.silenceSeconds.trim() === '' ? null : scaled(values.silenceSeconds, 1_000),
    }),
  }
}

/** Those that are there, their values hidden, unless they are taken away or given a new value, and more. */
function headersOf(known: Stream['headers'], values: Values): Record<string, string> {
  const kept = Object.keys(known)
    .filter((name) => values[`remove.${name}`] === undefined)
    .map((name) => [name, values[`header.${name}`] || HIDDEN])
  const added = headersIn(values.headers)
  const names = new Set(added.map(([name]) => name?.toLowerCase()))
  return Object.fromEntries([...kept.filter(([name]) => !names.has(name?.toLowerCase() ?? '')), ...added])
}

/** Headers as they are typed, a line each. @throws Problem `invalid_field` */
export function headersIn(text: string | undefined): [name: string, value: string][] {
  return listOf(text, '\n').map((line) => {
    const at = line.indexOf(':')
    if (at > 0) return [line.slice(0, at).trim(), line.slice(at + 1).trim()]
    throw new Problem('invalid_field', 'headers: write each as Name: value, on a line of its own.', 'headers')
  })
}

/** What is typed between separators; what is empty is left out. */
export function listOf(text: string | undefined, separator: string): string[] {
  return (text ?? '')
    .split(separator)
    .map((each) => each.trim())
    .filter(Boolean)
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
  const { retention, silenceMs } = stream
  const text = (value: number | null | undefined, unit: number) => (value ? String(value / unit) : '')
  return {
    name: stream.name,
    url: stream.url,
    kind: stream.kind,
    method: stream.method,
    body: stream.body ?? '',
    intervalSeconds: String(stream.intervalMs / 1_000),
    silenceSeconds: text(silenceMs, 1_000),
    payloadPointer: stream.payloadPointer,
    ignorePaths: stream.ignorePaths.join('\n'),
    arrayKeys: stream.arrayKeys.join(', '),
    tags: stream.tags.join(', '),
    notify: stream.notify.join(', '),
    retentionDays: text(retention?.maxAgeMs, DAY_MS),
    retentionEntries: text(retention?.maxEntries, 1),
    retentionMegabytes: text(retention?.maxBytes, MEGABYTE),
  }
}

function fixedBy({ proxyKey, twinOf }: Stream): StreamFormData['fixed'] {
  if (proxyKey !== null) return 'proxied'
  return twinOf === null ? undefined : 'twin'
}

/** A URL is stored as URLs are written: one that means the same is no change. */
function sameUrl(typed: string, known: string): string {
  return URL.canParse(typed) && new URL(typed).href === known ? known : typed
}

function scaled(text: string, unit: number): number {
  return text.trim() === '' ? Number.NaN : Math.round(Number(text) * unit)
}

import { type ArrayFound, findArrays, suggestArrayKeys } from '../../core/documents/array-keys.ts'
import { hashDocument, type Json } from '../../core/documents/document.ts'
import { indentJson } from '../../core/documents/indent.ts'
import { mediaTypeIn } from '../../core/sets/media-types.ts'
import { isSocketUrl, kindsOfUrl, STREAM_KIND } from '../../core/sets/stream-kinds.ts'
import { HOUR_MS } from '../../core/time.ts'
import { Problem } from '../../errors.ts'
import { directFetch } from '../../net/direct.ts'
import type { EgressConnect } from '../../net/egress.ts'
import { contentOf as bodyContentOf, parseDocument } from '../content/content.ts'
import { isXml, parseSelection, type Selection } from '../content/selection.ts'
import type { Format } from '../ingest/connection/follow-connection.ts'
import type { Stream } from '../ingest/run.ts'
import {
  askUpstream,
  type Limits,
  type Means,
  type UpstreamAnswer,
  UpstreamError,
  type UpstreamFetch,
  type UpstreamRequest,
} from '../ingest/upstream.ts'
import type { LargeDocuments } from '../large/documents.ts'
import { defaultName, newStream } from '../registry/new-stream.ts'
import { detectKind, EITHER_KIND, ENDLESS_AFTER_MS, PROBE_TIMEOUT_MS } from '../registry/probe.ts'
import { type PreviewProblem, type PreviewWarning, problemOf, statusProblem, warningsOf } from './advice.ts'
import {
  bodyEncodingOf,
  type PreviewBounds,
  type PreviewedEvent,
  type PreviewRead,
  readPreview,
} from './read.ts'
import { connectedFormat, readConnection } from './wire.ts'

/** The response of an API to one request, and how Weir could follow it. */
export interface Preview {
  /** As it would be registered. */
  url: string
  /** Why Weir can't follow it; null if it can. */
  problem: PreviewProblem | null
  /** Null if there was no response. */
  answer: PreviewedAnswer | null
  /** Suggested settings; null if there are none. */
  suggestion: Suggestion | null
  warnings: PreviewWarning[]
}

export interface PreviewedAnswer {
  kind: Stream['kind']
  /** Why it is of that kind, in a sentence; null if its content type says it. */
  kindReason: string | null
  shape: 'events' | 'json' | 'text' | 'html' | 'binary' | 'empty'
  status: number
  contentType: string | null
  redirects: { status: number; to: string }[]
  /** Bytes of the body, as far as it was read. */
  wireBytes: number
  bodyBytes: number
  /** Whether the body was read to its end. */
  isWhole: boolean
  encoding: string | null
  etag: string | null
  lastModified: string | null
  firstByteMs: number
  tookMs: number
  /** The first lines of the body, JSON indented; null for binary data and for events. */
  sample: { text: string; isCut: boolean } | null
  events: PreviewedEvent[]
  /** Comments of an event stream: heartbeats, mostly. */
  comments: number
  arrays: ArrayFound[]
}

export interface Suggestion {
  kind: Stream['kind']
  name: string
  intervalMs: number
  /** Why that interval, in a sentence. */
  because: string
  arrayKeys: string[]
}

export interface PreviewsDeps {
  limits: Limits
  fetch?: UpstreamFetch
  connect?: EgressConnect
  /** Selects parts of pages; without it, none are selected. */
  large?: Pick<LargeDocuments, 'select'>
  now?(): number
}

/** Previews in progress at a time; further ones are refused. */
const MAX_LOOKS = 8
const BOUNDS: PreviewBounds = {
  ...{ bodyBytes: 4_194_304, bodyMs: 10_000, events: 5, eventsMs: ENDLESS_AFTER_MS },
}
const SAMPLE_LINES = 40
const SAMPLE_CHARS = 8_192
const EVENT_CHARS = 2_048
const DEFAULT_INTERVAL_MS = 60_000
/** Bounds of an interval suggested by `Cache-Control: max-age`, in milliseconds. */
const MIN_SUGGESTED_MS = 5_000
const MAX_SUGGESTED_MS = HOUR_MS

/** Sends one request to an API, to preview it before it is registered. Stores nothing. */
export class Previews {
  readonly #deps: PreviewsDeps
  #underWay = 0

  constructor(deps: PreviewsDeps) {
    this.#deps = deps
  }

  /**
   * Failures of the API are part of the result.
   * @throws Problem `too_many` while too many previews are in progress; the signal's reason when it is aborted
   */
  async take(asked: UpstreamRequest, signal: AbortSignal, more: PreviewedStream = {}): Promise<Preview> {
    if (this.#underWay >= MAX_LOOKS) {
      throw new Problem('too_many', `${MAX_LOOKS} previews are in progress. Try again in a moment.`)
    }
    this.#underWay++
    try {
      const format = connectedFormat(
        more.kind ?? (isSocketUrl(asked.url) ? kindsOfUrl(asked.url)[0] : undefined),
      )
      return await (format === undefined
        ? this.#take(asked, more, signal)
        : this.#connect(asked, signal, more, format))
    } finally {
      this.#underWay--
    }
  }

  async #take(
    asked: UpstreamRequest,
    { select = '', means }: PreviewedStream,
    signal: AbortSignal,
  ): Promise<Preview> {
    const { limits, fetch = directFetch, now = Date.now } = this.#deps
    const noted = notedFetch(fetch)
    const bounds = { ...BOUNDS, bodyBytes: Math.min(BOUNDS.bodyBytes, limits.maxBodyBytes) }
    const requestTimeoutMs = Math.min(limits.requestTimeoutMs, PROBE_TIMEOUT_MS)
    let came: Preview['answer'] = null
    const selection = parseSelection(select)
    try {
      const headers = { ...EITHER_KIND, 'Accept-Encoding': 'gzip' }
      const answer = await askUpstream(asked, headers, { requestTimeoutMs }, signal, noted.fetch, means)
      came = headOf(answer, noted.redirects)
      const read = await readPreview(answer, bounds, signal)
      const selected = await this.#selected(answer, read, selection, signal)
      came = {
        ...came,
        ...contentOf(answer, read, selected?.json),
        tookMs: Math.round(performance.now() - answer.startedAt),
      }
      const isPolled = STREAM_KIND[came.kind].isPolled
      const problem =
        statusProblem(answer.response, isPolled, now()) ??
        selected?.problem ??
        contentProblem(answer, came, read, limits)
      const warnings = warningsOf({ asked, answer: came, headers: answer.response.headers, limits })
      return { url: asked.url, problem, answer: came, suggestion: suggest(asked, came, answer), warnings }
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      const problem = problemOf(error, noted.failure())
      return { url: asked.url, problem, answer: came, suggestion: null, warnings: [] }
    }
  }

  /** Connects as a stream of that kind would. */
  async #connect(
    asked: UpstreamRequest,
    signal: AbortSignal,
    { messages = null, means }: PreviewedStream,
    format: Format,
  ): Promise<Preview> {
    const { limits, fetch = directFetch, connect, now = Date.now } = this.#deps
    const { kind } = format
    const noted = notedFetch(fetch)
    const requestTimeoutMs = Math.min(limits.requestTimeoutMs, PROBE_TIMEOUT_MS)
    const deps = { limits: { ...limits, requestTimeoutMs }, fetch: noted.fetch, connect, means }
    let [came, answer]: [PreviewedAnswer | null, UpstreamAnswer | undefined] = [null, undefined]
    const url = asked.url
    try {
      const read = await readConnection(
        format,
        newStream({ ...asked, kind, messages }),
        deps,
        BOUNDS,
        signal,
        (each) => {
          answer = each
          came = { ...headOf(each, noted.redirects), kind, shape: 'events' }
        },
      )
      const { hide } = answer as unknown as UpstreamAnswer
      const head = came as unknown as PreviewedAnswer
      came = {
        ...head,
        wireBytes: read.wireBytes,
        isWhole: read.end === 'whole',
        events: shownEvents(read, hide),
      }
      const warnings = warningsOf({ asked, answer: came, headers: new Headers(), limits })
      const because = 'The interval applies only to polling.'
      const rest = { name: defaultName(url), intervalMs: DEFAULT_INTERVAL_MS, because, arrayKeys: [] }
      return { url, problem: null, answer: came, suggestion: { kind, ...rest }, warnings }
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      const said = answer as UpstreamAnswer | undefined
      const status = error.code === 'bad_status' && said ? statusProblem(said.response, false, now()) : null
      return {
        url,
        problem: status ?? problemOf(error, noted.failure()),
        answer: came,
        suggestion: null,
        warnings: [],
      }
    }
  }

  /** What a poll would select in a page, in XML or in a feed; undefined if nothing is selected, or the body is JSON. */
  async #selected(
    { response }: UpstreamAnswer,
    read: PreviewRead,
    selection: Selection | undefined,
    signal: AbortSignal,
  ): Promise<{ json?: string; problem?: PreviewProblem } | undefined> {
    const { large } = this.#deps
    if (selection === undefined || large === undefined || read.end !== 'whole') return undefined
    const { shape, text = '' } = documentIn(response, read.body, true)
    if (shape !== 'html' && shape !== 'text') return undefined
    const { type } = mediaTypeIn(response.headers.get('content-type'))
    const found = await large.select(text, isXml(type, text), selection, signal)
    if ('selected' in found) return { json: found.selected }
    return { problem: problemOf(new UpstreamError(found.code, found.message), undefined) }
  }
}

function shownEvents(read: PreviewRead, hide: UpstreamAnswer['hide']): PreviewedEvent[] {
  return read.events.map((event) => ({ ...event, data: hide(event.data).slice(0, EVENT_CHARS) }))
}

/** What a preview of a connection sends on it. */
export type PreviewedStream = {
  kind?: Stream['kind'] | undefined
  messages?: Stream['messages']
  /** What of a page, of XML or a feed becomes the document. */
  select?: string | undefined
  /** How its request is sent. */
  means?: Means | undefined
}

/** A fetch that remembers the redirects of a request, and why it failed. */
function notedFetch(fetch: UpstreamFetch) {
  const redirects: PreviewedAnswer['redirects'] = []
  let failure: string | undefined
  let last: { status: number } | undefined
  const noted: UpstreamFetch = async (url, init) => {
    // A request may also follow one for a token, or be repeated to sign in.
    if (last !== undefined && isRedirect(last.status)) redirects.push({ status: last.status, to: url })
    try {
      const response = await fetch(url, init)
      last = { status: response.status }
      return response
    } catch (error) {
      failure = (error as { code?: string }).code
      throw error
    }
  }
  return { fetch: noted, redirects, failure: () => failure }
}

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400
}

function headOf(
  { response, exchange, hide }: UpstreamAnswer,
  redirects: PreviewedAnswer['redirects'],
): PreviewedAnswer {
  const header = (name: string) => hide(response.headers.get(name) ?? '').slice(0, 500) || null
  return {
    ...detectKind(response),
    shape: 'empty',
    status: response.status,
    contentType: header('content-type'),
    redirects: redirects.map(({ status, to }) => ({ status, to: hide(to) })),
    wireBytes: 0,
    bodyBytes: 0,
    isWhole: false,
    encoding: bodyEncodingOf(response),
    etag: header('etag'),
    lastModified: header('last-modified'),
    firstByteMs: exchange.response.firstByteMs,
    tookMs: exchange.response.firstByteMs,
    ...{ sample: null, events: [], comments: 0, arrays: [] },
  }
}

/** @param selected the JSON that was selected in the body */
function contentOf(
  { response, hide }: UpstreamAnswer,
  { body, wireBytes, end, ...read }: PreviewRead,
  selected: string | undefined,
) {
  const isWhole = end === 'whole'
  const detected = detectKind(response, end)
  const shared = {
    ...detected,
    ...{ wireBytes, bodyBytes: body.byteLength, isWhole, comments: read.comments },
  }
  // Whatever it calls itself: an answer that refuses the request says why.
  if (response.ok && !STREAM_KIND[detected.kind].isPolled) {
    const events = shownEvents({ body, wireBytes, end, ...read }, hide)
    return { ...shared, shape: 'events' as const, events }
  }
  const { shape, text, document } =
    selected === undefined ? documentIn(response, body, isWhole) : asJson(selected)
  const isJson = shape === 'json'
  const arrays = document === undefined ? [] : findArrays(document)
  const sample = text === undefined || shape === 'empty' ? null : sampleOf(hide(text), isJson)
  return { ...shared, shape, events: [], arrays, sample }
}

function asJson(text: string) {
  return { shape: 'json' as const, text, document: parsed(text)?.document }
}

/** What a poll would make of a body, by the same rules. */
function documentIn(
  { headers }: Response,
  body: Uint8Array,
  isWhole: boolean,
): { shape: PreviewedAnswer['shape']; text?: string; document?: Json } {
  const content = bodyContentOf(body, headers, !isWhole)
  if (content.as === 'empty') return { shape: 'empty' }
  if (content.as === 'bytes') return { shape: 'binary' }
  const { text, mayBeDocument } = content
  const isHtml = mediaTypeIn(headers.get('content-type')).type === 'text/html'
  const found = isWhole && mayBeDocument ? parsed(text) : undefined
  if (found !== undefined) return { shape: 'json', text: found.json, document: found.document }
  return { shape: isHtml ? 'html' : mayBeDocument && !isWhole ? 'json' : 'text', text }
}

function sampleOf(text: string, isJson: boolean): PreviewedAnswer['sample'] {
  const start = isJson ? indentJson(text, SAMPLE_CHARS) : { text: text.slice(0, SAMPLE_CHARS), cut: false }
  const lines = start.text.trim().split(/\r\n|\r|\n/)
  const isCut = start.cut || lines.length > SAMPLE_LINES || text.length > SAMPLE_CHARS
  return { text: lines.slice(0, SAMPLE_LINES).join('\n'), isCut }
}

function parsed(text: string): ReturnType<typeof parseDocument> | undefined {
  try {
    const found = parseDocument(text)
    // A poll can't follow what can't be hashed, because it is nested too deeply.
    hashDocument(found.document)
    return found
  } catch {
    return undefined
  }
}

/** Why every poll would be an error, although the status code is good. */
function contentProblem(
  answer: UpstreamAnswer,
  came: PreviewedAnswer,
  { body }: PreviewRead,
  limits: Limits,
) {
  const length = Number(answer.response.headers.get('content-length') ?? 0)
  if (length > limits.maxBodyBytes || (!came.isWhole && body.byteLength >= limits.maxBodyBytes)) {
    const message = `The body is larger than ${limits.maxBodyBytes} bytes.`
    return problemOf(new UpstreamError('too_large', message), undefined)
  }
  return null
}

function suggest(
  { url }: UpstreamRequest,
  came: PreviewedAnswer,
  { response }: UpstreamAnswer,
): Suggestion | null {
  if (!response.ok) return null
  const maxAge = /\bmax-age=(\d{1,9})\b/i.exec(response.headers.get('cache-control') ?? '')?.[1]
  const goodForMs = Number(maxAge ?? 0) * 1_000
  const intervalMs =
    goodForMs > 0 ? Math.min(Math.max(goodForMs, MIN_SUGGESTED_MS), MAX_SUGGESTED_MS) : DEFAULT_INTERVAL_MS
  const because =
    goodForMs > 0
      ? `Its Cache-Control says that a response is valid for ${maxAge} s.`
      : 'A default. Weir suggests a better interval once it knows how often the API changes.'
  return {
    kind: came.kind,
    name: defaultName(url),
    intervalMs,
    because,
    arrayKeys: suggestArrayKeys(came.arrays),
  }
}

import { Elysia } from 'elysia'
import { type PreviewFormData, PreviewOutcome, PreviewPage } from '../../../views/preview/preview.tsx'
import { StartFields } from '../../../views/preview/start.tsx'
import { isStreamKind, STREAM_KIND } from '../../core/sets/stream-kinds.ts'
import { Problem } from '../../errors.ts'
import { clientOf } from '../../limits/client.ts'
import { checkPreview, checkRegistration } from '../../streams/registry/registration.ts'
import { readerOf } from '../access/reader.ts'
import { html } from '../http/html.ts'
import { query, readForm } from '../http/input.ts'
import { leave } from '../http/redirect.ts'
import { headersIn, splitList } from '../streams/stream-form.ts'
import type { PreviewRoutesDeps } from './preview.ts'

/** What a link to the page may fill in. */
const LINKED = ['url', 'name', 'tags', 'kind', 'intervalSeconds'] as const
/** Fields that a preview suggests again when the URL has changed. */
const SUGGESTED = new Set(['name', 'kind', 'intervalSeconds', 'arrayKeys', 'twin'])

type Values = Record<string, string>

/** The guided form for a new stream: preview an API, then start it. */
export function previewPages({ streams, upstreamRate }: PreviewRoutesDeps) {
  return new Elysia({ detail: { hide: true } })
    .get('/streams/new', ({ request }) => {
      const values = query(request, ...LINKED) as Values
      return html(
        <PreviewPage
          reader={readerOf(request)}
          values={values}
          isAsked={values.url !== undefined && isOwn(request)}
        />,
      )
    })
    .post('/streams/preview', async ({ request }) => look(request, await readForm(request)))
    .post('/streams/new', async ({ request }) => start(request, await readForm(request)))

  async function look(request: Request, typed: Values): Promise<Response> {
    const values = fresh(typed)
    try {
      const asked = checkPreview(lookingOf(values))
      await upstreamRate.take(clientOf(request), asked.url)
      const found = await streams.preview(asked, request.signal)
      return await looked(request, { values, found })
    } catch (error) {
      const { looked: _, ...rest } = values
      return looked(request, { values: rest, error: told(error) }, (error as Problem).status)
    }
  }

  async function start(request: Request, values: Values): Promise<Response> {
    // The URL was changed after the preview.
    if (values.looked !== undefined && !isSame(values.url, values.looked)) return look(request, values)
    try {
      const { id } = await streams.register(checkRegistration(registrationOf(values)))
      return leave(request, `/streams/${id}`)
    } catch (error) {
      const state = { values: shown({ looked: '', ...values }), error: told(error) }
      const { status } = error as Problem
      if (!isFragment(request)) return html(<PreviewPage reader={readerOf(request)} {...state} />, { status })
      return html(<StartFields {...state} found={undefined} />, { status })
    }
  }
}

/** The result of a preview: the lower part of the form, or without script the whole page. */
async function looked(
  request: Request,
  { values = {}, ...data }: PreviewFormData,
  status = 200,
): Promise<Response> {
  if (!isFragment(request))
    return html(<PreviewPage reader={readerOf(request)} values={shown(values)} {...data} />, { status })
  const response = await html(<PreviewOutcome values={shown(values)} {...data} />, { status })
  // Whichever button was pressed: starting a changed URL previews it first.
  response.headers.set('HX-Retarget', '#found')
  response.headers.set('HX-Reswap', 'innerHTML')
  return response
}

function isFragment({ headers }: Request): boolean {
  return headers.has('hx-request')
}

/** Drops the headers: their values are never shown again. */
function shown({ headers: _secret, first: _alsoSecret, ...values }: Readonly<Values>): Values {
  return values
}

/**
 * Whether the request came from a page of Weir or from the reader directly: other sites must not make Weir send
 * requests.
 * @see https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
 */
function isOwn({ headers }: Request): boolean {
  return ['none', 'same-origin'].includes(headers.get('sec-fetch-site') ?? '')
}

/** Keeps the settings for the same URL; for another, the preview suggests them again. */
function fresh(values: Values): Values {
  if (values.looked === undefined || isSame(values.url, values.looked)) return values
  return Object.fromEntries(Object.entries(values).filter(([name]) => !SUGGESTED.has(name)))
}

function isSame(typed: string | undefined, looked: string): boolean {
  const text = typed?.trim() ?? ''
  return text === looked || (URL.canParse(text) && new URL(text).href === looked)
}

function lookingOf(values: Values): Record<string, unknown> {
  const { url, method, headers, body, first, isSubscription, select } = values
  const isGraphql = isSubscription !== undefined
  return {
    url: url?.trim() ?? '',
    // A subscription is sent with POST unless its owner says otherwise through the API.
    ...(method && !(isGraphql && method === 'GET') && { method }),
    ...(isGraphql && { kind: 'graphql' }),
    ...(first?.trim() && { messages: { first: first.replaceAll('\r\n', '\n') } }),
    ...(headers && { headers: Object.fromEntries(headersIn(headers)) }),
    ...(body && { body: body.replaceAll('\r\n', '\n') }),
    ...(select?.trim() && { select: select.trim() }),
  }
}

/** The form as a registration, without empty fields. */
function registrationOf(values: Values): Record<string, unknown> {
  const { name, kind, intervalSeconds, tags, arrayKeys, twin } = values
  return {
    ...lookingOf(values),
    ...(name?.trim() && { name: name.trim() }),
    ...(kind && { kind }),
    ...(intervalSeconds?.trim() && { intervalMs: Math.round(Number(intervalSeconds) * 1_000) }),
    ...(tags?.trim() && { tags: splitList(tags, ',') }),
    ...(arrayKeys?.trim() && { arrayKeys: splitList(arrayKeys, ',') }),
    ...(twin !== undefined && !(isStreamKind(kind) && !STREAM_KIND[kind].isPolled) && { twin: true }),
  }
}

/** The error of a form; bugs are rethrown. */
function told(error: unknown): NonNullable<PreviewFormData['error']> {
  if (!(error instanceof Problem)) throw error
  return { field: error.field, detail: error.detail }
}

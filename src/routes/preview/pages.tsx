import { Elysia } from 'elysia'
import { type LookFormData, LookPage, Outcome } from '../../../views/preview/preview.tsx'
import { StartFields } from '../../../views/preview/start.tsx'
import { Problem } from '../../errors.ts'
import { clientOf } from '../../limits/client.ts'
import { checkLook, checkRegistration } from '../../streams/registry/registration.ts'
import { html } from '../http/html.ts'
import { query, readForm } from '../http/input.ts'
import { leave } from '../http/redirect.ts'
import { headersIn, listOf } from '../streams/stream-form.ts'
import type { LookRoutesDeps } from './preview.ts'

/** What a link to the page may fill in. */
const LINKED = ['url', 'name', 'tags', 'kind', 'intervalSeconds'] as const
/** What a look suggests anew when the URL is another. */
const SUGGESTED = new Set(['name', 'kind', 'intervalSeconds', 'arrayKeys', 'twin'])

type Values = Record<string, string>

/** The guided first stream: looking at an API, and starting it by what was found. */
export function lookPages({ streams, upstreamRate }: LookRoutesDeps) {
  const written = { parse: 'none' } as const
  return new Elysia({ detail: { hide: true } })
    .get('/streams/new', ({ request }) => {
      const values = query(request, ...LINKED) as Values
      return html(<LookPage values={values} isAsked={values.url !== undefined && isOwn(request)} />)
    })
    .post('/streams/look', async ({ request }) => look(request, await readForm(request)), written)
    .post('/streams/new', async ({ request }) => start(request, await readForm(request)), written)

  async function look(request: Request, typed: Values): Promise<Response> {
    const values = fresh(typed)
    try {
      const asked = checkLook(lookingOf(values))
      upstreamRate.take(clientOf(request), asked.url)
      const found = await streams.look(asked, request.signal)
      return await looked(request, { values, found })
    } catch (error) {
      const { looked: _, ...rest } = values
      return looked(request, { values: rest, error: told(error) }, (error as Problem).status)
    }
  }

  async function start(request: Request, values: Values): Promise<Response> {
    // What was typed since the look hasn't been looked at.
    if (values.looked !== undefined && !isSame(values.url, values.looked)) return look(request, values)
    try {
      const { id } = await streams.register(checkRegistration(registrationOf(values)))
      return leave(request, `/streams/${id}`)
    } catch (error) {
      const state = { values: shown({ looked: '', ...values }), error: told(error) }
      const { status } = error as Problem
      if (!isFragment(request)) return html(<LookPage {...state} />, { status })
      return html(<StartFields {...state} found={undefined} />, { status })
    }
  }
}

/** What came of a look: the part below the form, or without script the whole page. */
async function looked(
  request: Request,
  { values = {}, ...data }: LookFormData,
  status = 200,
): Promise<Response> {
  if (!isFragment(request)) return html(<LookPage values={shown(values)} {...data} />, { status })
  const response = await html(<Outcome values={shown(values)} {...data} />, { status })
  // Wherever the button was: starting what hasn't been looked at looks first.
  response.headers.set('HX-Retarget', '#found')
  response.headers.set('HX-Reswap', 'innerHTML')
  return response
}

function isFragment({ headers }: Request): boolean {
  return headers.has('hx-request')
}

/** Headers stay where they were typed, if anywhere: they aren't shown again. */
function shown({ headers: _secret, ...values }: Readonly<Values>): Values {
  return values
}

/**
 * Whether the reader came by themselves, or from a page of Weir's: a page of somebody else's must not make Weir ask
 * anything.
 * @see https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
 */
function isOwn({ headers }: Request): boolean {
  return ['none', 'same-origin'].includes(headers.get('sec-fetch-site') ?? '')
}

/** What was typed below stays for the same URL; for another, it is suggested anew. */
function fresh(values: Values): Values {
  if (values.looked === undefined || isSame(values.url, values.looked)) return values
  return Object.fromEntries(Object.entries(values).filter(([name]) => !SUGGESTED.has(name)))
}

function isSame(typed: string | undefined, looked: string): boolean {
  const text = typed?.trim() ?? ''
  return text === looked || (URL.canParse(text) && new URL(text).href === looked)
}

function lookingOf({ url, method, headers, body }: Values): Record<string, unknown> {
  return {
    url: url?.trim() ?? '',
    ...(method && { method }),
    ...(headers && { headers: Object.fromEntries(headersIn(headers)) }),
    ...(body && { body: body.replaceAll('\r\n', '\n') }),
  }
}

/** What the form means as a registration; what is empty is left out. */
function registrationOf(values: Values): Record<string, unknown> {
  const { name, kind, intervalSeconds, tags, arrayKeys, twin } = values
  return {
    ...lookingOf(values),
    ...(name?.trim() && { name: name.trim() }),
    ...(kind && { kind }),
    ...(intervalSeconds?.trim() && { intervalMs: Math.round(Number(intervalSeconds) * 1_000) }),
    ...(tags?.trim() && { tags: listOf(tags, ',') }),
    ...(arrayKeys?.trim() && { arrayKeys: listOf(arrayKeys, ',') }),
    ...(twin !== undefined && kind !== 'sse' && { twin: true }),
  }
}

/** What is wrong with a form; bugs are thrown on. */
function told(error: unknown): NonNullable<LookFormData['error']> {
  if (!(error instanceof Problem)) throw error
  return { field: error.field, detail: error.detail }
}

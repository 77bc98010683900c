import { Elysia } from 'elysia'
import type { Child } from 'hono/jsx'
import { Activated, Refused, Sent, TopologyPage } from '../../views/topology.tsx'
import { COLOUR_NAMES } from '../core/colour.ts'
import { mermaidText } from '../core/graph.ts'
import { Problem } from '../errors.ts'
import type { Hub } from '../hub/hub.ts'
import { type Fields, fieldsOf, parseReport, textField } from '../topology/input.ts'
import { requireColour } from '../topology/rules.ts'
import { type SendOptions, type SentAnswer, sendThrough } from '../topology/send.ts'
import { SEED_TOPIC, type Topology } from '../topology/topology.ts'
import { html } from './html.ts'
import { readForm, readJson } from './input.ts'

/** Of a form or one activation. */
const MAX_FORM_BYTES = 65_536
/** Of one report of services and calls. */
const MAX_REPORT_BYTES = 1_048_576
/** The seed's default. */
const ACTIVATED_COLOUR = 'black'
/** What a request colours the services it passes, unless it says otherwise. */
const REQUEST_COLOUR = '#00ffcc'
/** Responses of the services behind one, as the answer's fragment shows them; the rest is left out. */
const MAX_SHOWN_RESPONSES = 50
const MAX_SHOWN_CHARS = 200

export interface TopologyRoutesOptions {
  topology: Topology
  hub: Hub
  /** Sends the requests that go through a service. */
  fetch?: SendOptions['fetch']
  /** A clock in milliseconds, only used for differences. */
  now?: SendOptions['now']
}

/** The topology: its page, its API, and the three routes of the seed's own protocol. */
export function topologyRoutes(options: TopologyRoutesOptions) {
  return new Elysia().use(seedRoutes(options)).use(apiRoutes(options)).use(pageRoutes(options))
}

function seedRoutes({ topology, hub }: TopologyRoutesOptions) {
  return new Elysia()
    .get('/diagram', () => ({ diagram: mermaidText(topology.graph()) }), {
      detail: {
        summary: 'The diagram',
        description: 'The topology as the text of a Mermaid flowchart: `{"diagram": "flowchart LR…"}`.',
        tags: ['Topology'],
      },
    })
    .get(
      '/events',
      ({ request, server }) => {
        server?.timeout(request, 0)
        return hub.subscribe(SEED_TOPIC, { signal: request.signal })
      },
      {
        detail: {
          summary: 'That the diagram changed',
          description:
            'A server-sent event stream that says `update` whenever `GET /diagram` has something new.',
          tags: ['Topology'],
        },
      },
    )
    .post('/activate', ({ request }) => answering(request, () => activate(request, topology)), {
      parse: 'none',
      detail: {
        summary: 'Colour a service',
        description:
          'Takes `{item, color}` as JSON or a form. A `color` is one of a fixed set of names or `#rrggbb`, ' +
          `\`${ACTIVATED_COLOUR}\` when left out. An item that isn't known yet becomes a service.`,
        tags: ['Topology'],
      },
    })
}

function apiRoutes({ topology }: TopologyRoutesOptions) {
  return new Elysia()
    .get('/api/topology', () => topology.snapshot(), {
      detail: {
        summary: 'The topology',
        description:
          'Services and calls as they are now. `version` is the id of the last event they hold, `node` the id of ' +
          'a service in the Mermaid text; a call has a `lastStatus` once it was counted.',
        tags: ['Topology'],
      },
    })
    .post(
      '/api/topology',
      async ({ request }) => {
        const report = parseReport(fieldsOf(await readJson(request, MAX_REPORT_BYTES), ['services', 'calls']))
        topology.report(report)
        return { services: report.services?.length ?? 0, calls: report.calls?.length ?? 0 }
      },
      {
        parse: 'none',
        detail: {
          summary: 'Report services and calls',
          description:
            'Takes `{services?: [{id, name?, url?}], calls?: [{from, to, status?, durationMs?}]}`, up to 500 of ' +
            'each, all or nothing, and answers how many of each it took. Services that calls name are created. A ' +
            'call without a status only declares the edge; one with a status is counted, from 400 on as an error.',
          tags: ['Topology'],
        },
      },
    )
    .get(
      '/api/topology/events',
      ({ request, server }) => {
        server?.timeout(request, 0)
        return topology.subscribe(request.signal, request.headers.get('last-event-id'))
      },
      {
        detail: {
          summary: 'The topology, live',
          description:
            'A server-sent event stream: `graph` (the whole, first and whenever its shape changes), `service` (a ' +
            'colour), `call` (one that was counted). `Last-Event-ID` resumes; what is no longer kept is told as a ' +
            '`gap` before a fresh `graph`.',
          tags: ['Topology'],
        },
      },
    )
}

function pageRoutes({
  topology,
  fetch = globalThis.fetch,
  now = () => performance.now(),
}: TopologyRoutesOptions) {
  return new Elysia()
    .get('/topology', ({ request }) => page(request, topology), { detail: { hide: true } })
    .post(
      '/topology/requests',
      ({ request }) =>
        answering(request, () => send(request, topology, { fetch, now, signal: request.signal })),
      {
        parse: 'none',
        detail: {
          summary: 'Send a request through a service',
          description:
            'Takes `{service, color?}` as JSON or a form, activates the service at the url it reported, and ' +
            'answers `{status, durationMs, body}`. Waits up to 30 s; redirects are not followed.',
          tags: ['Topology'],
        },
      },
    )
}

async function activate(request: Request, topology: Topology): Promise<Response> {
  const fields = await readFields(request, ['item', 'color'])
  const item = textField(fields, 'item')
  const color = textField(fields, 'color', ACTIVATED_COLOUR)
  topology.colour(item, color)
  switch (audience(request)) {
    case 'htmx':
      return html(<Activated item={item} color={color} />)
    case 'browser':
      return new Response(null, { status: 303, headers: { Location: '/topology' } })
    case 'program':
      return Response.json({ message: `${item} updated to ${color}` })
  }
}

async function send(request: Request, topology: Topology, options: SendOptions): Promise<Response> {
  const fields = await readFields(request, ['service', 'color'])
  const id = textField(fields, 'service')
  const service = topology.service(id)
  if (service === undefined) throw new Problem('not_found', `There is no service ${JSON.stringify(id)}.`)
  const color = requireColour(textField(fields, 'color', REQUEST_COLOUR), 'color')
  const sent = await sendThrough(service, color, options)
  const shown = <Sent through={service.name} {...sent} responses={responsesIn(sent)} />
  switch (audience(request)) {
    case 'htmx':
      return html(shown)
    case 'browser':
      return page(request, topology, shown)
    case 'program':
      return Response.json(sent)
  }
}

async function readFields(request: Request, allowed: readonly string[]): Promise<Fields> {
  const isForm = request.headers.get('content-type')?.startsWith('application/x-www-form-urlencoded')
  const read = isForm ? readForm : readJson
  return fieldsOf(await read(request, MAX_FORM_BYTES), allowed)
}

function page(request: Request, topology: Topology, answer?: Child): Promise<Response> {
  const graph = topology.graph()
  const { origin } = new URL(request.url)
  const view = { ...graph, diagram: mermaidText(graph), colours: COLOUR_NAMES, origin }
  return html(<TopologyPage {...view} answer={answer} />, { inlineStyle: true })
}

/** htmx shows what it is answered, so a problem becomes a sentence; everyone else gets it as problem details. */
async function answering(request: Request, work: () => Promise<Response>): Promise<Response> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Problem) || audience(request) !== 'htmx') throw error
    return html(<Refused reason={error.detail} />, { status: error.status })
  }
}

function audience({ headers }: Request): 'htmx' | 'browser' | 'program' {
  if (headers.get('hx-request') === 'true') return 'htmx'
  return headers.get('accept')?.includes('text/html') ? 'browser' : 'program'
}

/** What the services behind the one that was called answered: the seed's services tell it as `responses`. */
function responsesIn({ body }: SentAnswer): [string, string][] {
  const responses =
    typeof body === 'object' && body !== null && 'responses' in body ? body.responses : undefined
  if (typeof responses !== 'object' || responses === null) return []
  return Object.entries(responses)
    .slice(0, MAX_SHOWN_RESPONSES)
    .map(([service, response]) => [service.slice(0, MAX_SHOWN_CHARS), shortText(response)])
}

function shortText(value: unknown): string {
  return (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, MAX_SHOWN_CHARS)
}

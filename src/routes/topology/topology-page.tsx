import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { Child } from 'hono/jsx'
import { RequestSent } from '../../../views/topology/answer.tsx'
import { TopologyPage } from '../../../views/topology/topology.tsx'
import { COLOR_NAMES } from '../../core/color.ts'
import { type Graph, mermaidText } from '../../core/graph.ts'
import { Problem } from '../../errors.ts'
import { callTreeIn } from '../../topology/call-tree.ts'
import { textField } from '../../topology/input.ts'
import { requireColor } from '../../topology/rules.ts'
import { type SendOptions, type SentAnswer, sendThrough } from '../../topology/send.ts'
import type { Topology } from '../../topology/topology.ts'
import { readerOf } from '../access/reader.ts'
import { json } from '../answers/answer.ts'
import { SentThrough } from '../answers/topology.ts'
import { jsonContent } from '../http/body.ts'
import { describe } from '../http/describe.ts'
import { readFields } from '../http/fields.ts'
import { html } from '../http/html.ts'
import { acceptedBy, answering } from '../live/accepts.tsx'

/** Default color for the services that a request passes. */
const REQUEST_COLOR = '#00ffcc'
const REQUEST = Type.Object({
  service: Type.String({ description: 'Service ID' }),
  color: Type.Optional(Type.String({ default: REQUEST_COLOR })),
})
/** Maximum number of downstream responses shown; the rest is left out. */
const MAX_SHOWN_RESPONSES = 50
const MAX_SHOWN_CHARS = 200

export interface TopologyPageOptions {
  topology: Topology
  /** Refreshes Weir's own parts before they are shown. */
  refreshTopology?(): Promise<void>
  /** Sends requests through a service. */
  fetch: SendOptions['fetch']
  /** A clock in milliseconds, only used for differences. */
  now?: SendOptions['now']
}

/** The page and its form that sends a request through a service. */
export function topologyPages({
  topology,
  refreshTopology,
  fetch,
  now = () => performance.now(),
}: TopologyPageOptions) {
  return new Elysia()
    .get(
      '/topology',
      async ({ request }) => {
        await refreshTopology?.()
        return page(request, topology)
      },
      { detail: { hide: true } },
    )
    .post(
      '/topology/requests',
      ({ request }) =>
        answering(request, () => send(request, topology, { fetch, now, signal: request.signal })),
      {
        response: json(SentThrough),
        detail: {
          ...describe(
            'Send a request through a service',
            'Accepts `{service, color?}` as JSON or a form, activates the service at its reported URL, and returns ' +
              '`{status, durationMs, body}`. Times out after 30 s; redirects are not followed.',
            { problems: ['not_found', 'not_allowed', 'host_unknown', 'upstream_failed'] },
          ),
          tags: ['Topology'],
          // Read in the handler, so that htmx gets an error as a fragment.
          requestBody: jsonContent(REQUEST, { example: { service: 'D' } }),
        },
      },
    )
}

async function send(request: Request, topology: Topology, options: SendOptions): Promise<Response> {
  const fields = await readFields(request, ['service', 'color'])
  const id = textField(fields, 'service')
  const service = topology.service(id)
  if (service === undefined) throw new Problem('not_found', `No service has the ID ${JSON.stringify(id)}.`)
  const color = requireColor(textField(fields, 'color', REQUEST_COLOR), 'color')
  const sent = await sendThrough(service, color, options)
  const tree = callTreeIn(sent.body)
  const responses = tree === undefined ? responsesIn(sent) : []
  const shown = <RequestSent through={service.name} {...sent} responses={responses} tree={tree} />
  switch (acceptedBy(request)) {
    case 'htmx':
      return html(shown, { inlineStyle: true })
    case 'browser':
      return page(request, topology, shown)
    case 'program':
      return Response.json(sent)
  }
}

function page(request: Request, topology: Topology, answer?: Child): Promise<Response> {
  const graph = topology.graph()
  const { origin } = new URL(request.url)
  const view = {
    ...graph,
    entryId: entryOf(topology.reported()),
    diagram: mermaidText(graph),
    colors: COLOR_NAMES,
    declared: topology.declared?.text,
    origin,
  }
  return html(<TopologyPage reader={readerOf(request)} {...view} answer={answer} />, { inlineStyle: true })
}

/** Entry points: services that can be called and that no other service calls. */
function entryOf({ services, calls }: Graph): string | undefined {
  const called = new Set(calls.map(({ to }) => to))
  return services.find(({ id, url }) => url !== undefined && !called.has(id))?.id
}

/** Responses of the downstream services, which the seed's services return as `responses`. */
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

import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { Child } from 'hono/jsx'
import { Sent } from '../../../views/topology/answer.tsx'
import { TopologyPage } from '../../../views/topology/topology.tsx'
import { COLOUR_NAMES } from '../../core/colour.ts'
import { type Graph, mermaidText } from '../../core/graph.ts'
import { Problem } from '../../errors.ts'
import { callTreeIn } from '../../topology/call-tree.ts'
import { textField } from '../../topology/input.ts'
import { requireColour } from '../../topology/rules.ts'
import { type SendOptions, type SentAnswer, sendThrough } from '../../topology/send.ts'
import type { Topology } from '../../topology/topology.ts'
import { json } from '../answers/answer.ts'
import { SentThrough } from '../answers/topology.ts'
import { readFields } from '../http/fields.ts'
import { html } from '../http/html.ts'
import { operation } from '../http/operation.ts'
import { answering, audience } from '../live/accepts.tsx'

/** What a request colours the services it passes, unless it says otherwise. */
const REQUEST_COLOUR = '#00ffcc'
const REQUEST = Type.Object({
  service: Type.String({ description: 'Its id' }),
  color: Type.Optional(Type.String({ default: REQUEST_COLOUR })),
})
/** Responses of the services behind one, as the answer's fragment shows them; the rest is left out. */
const MAX_SHOWN_RESPONSES = 50
const MAX_SHOWN_CHARS = 200

export interface TopologyPageOptions {
  topology: Topology
  /** Brings what Weir draws of itself up to date, for who is about to see it. */
  refreshTopology?(): Promise<void>
  /** Sends the requests that go through a service. */
  fetch: SendOptions['fetch']
  /** A clock in milliseconds, only used for differences. */
  now?: SendOptions['now']
}

/** The page, and the form on it that sends a request through a service. */
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
        parse: 'none',
        detail: {
          ...operation(
            'Send a request through a service',
            'Takes `{service, color?}` as JSON or a form, activates the service at the url it reported, and ' +
              'answers `{status, durationMs, body}`. Waits up to 30 s; redirects are not followed.',
            {
              body: REQUEST,
              example: { service: 'D' },
              answers: json(SentThrough),
              problems: ['not_found', 'not_allowed', 'host_unknown', 'upstream_failed'],
            },
          ),
          tags: ['Topology'],
        },
      },
    )
}

async function send(request: Request, topology: Topology, options: SendOptions): Promise<Response> {
  const fields = await readFields(request, ['service', 'color'])
  const id = textField(fields, 'service')
  const service = topology.service(id)
  if (service === undefined) throw new Problem('not_found', `There is no service ${JSON.stringify(id)}.`)
  const color = requireColour(textField(fields, 'color', REQUEST_COLOUR), 'color')
  const sent = await sendThrough(service, color, options)
  const tree = callTreeIn(sent.body)
  const responses = tree === undefined ? responsesIn(sent) : []
  const shown = <Sent through={service.name} {...sent} responses={responses} tree={tree} />
  switch (audience(request)) {
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
    colours: COLOUR_NAMES,
    origin,
  }
  return html(<TopologyPage {...view} answer={answer} />, { inlineStyle: true })
}

/** A service that can be called and that no other one calls: where requests come in. */
function entryOf({ services, calls }: Graph): string | undefined {
  const called = new Set(calls.map(({ to }) => to))
  return services.find(({ id, url }) => url !== undefined && !called.has(id))?.id
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

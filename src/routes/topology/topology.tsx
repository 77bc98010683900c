import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { Activated } from '../../../views/topology/answer.tsx'
import { mermaidText } from '../../core/graph.ts'
import type { Hub } from '../../hub/hub.ts'
import { subscriberOf } from '../../limits/client.ts'
import { textField } from '../../topology/input.ts'
import { SEED_TOPIC, type Topology } from '../../topology/topology.ts'
import { events, json } from '../answers/answer.ts'
import { Colored, Diagram } from '../answers/topology.ts'
import { jsonContent } from '../http/body.ts'
import { describe } from '../http/describe.ts'
import { readFields } from '../http/fields.ts'
import { html } from '../http/html.ts'
import { acceptedBy, answering } from '../live/accepts.tsx'
import { declaredRoutes } from './declared.tsx'
import { topologyApi } from './topology-api.ts'
import { topologyFaultRoutes } from './topology-faults.ts'
import { type TopologyPageOptions, topologyPages } from './topology-page.tsx'

/** Default color of the seed protocol. */
const ACTIVATED_COLOR = 'black'
const ACTIVATION = Type.Object({
  item: Type.String({ description: 'Service ID' }),
  color: Type.Optional(Type.String({ default: ACTIVATED_COLOR })),
})

export interface TopologyRoutesOptions extends TopologyPageOptions {
  hub: Hub
}

/** The topology: its page, its API, and the three routes of the seed protocol. */
export function topologyRoutes(options: TopologyRoutesOptions) {
  return new Elysia()
    .use(seedRoutes(options))
    .use(topologyApi(options))
    .use(declaredRoutes(options))
    .use(topologyFaultRoutes(options))
    .use(topologyPages(options))
}

function seedRoutes({ topology, hub }: TopologyRoutesOptions) {
  return new Elysia({ detail: { tags: ['Topology'] } })
    .get('/diagram', () => ({ diagram: mermaidText(topology.reported()) }), {
      response: json(Diagram),
      detail: describe('Get the diagram', 'Reported services and calls as a Mermaid flowchart.'),
    })
    .get(
      '/events',
      ({ request, server }) => {
        server?.timeout(request, 0)
        return hub.subscribe(SEED_TOPIC, subscriberOf(request))
      },
      {
        response: events({ message: Type.Literal('update') }),
        detail: describe(
          'Stream diagram updates',
          'Server-sent events: `update` for every activation, and whenever `GET /diagram` changes otherwise.',
        ),
      },
    )
    .post('/activate', ({ request }) => answering(request, () => activate(request, topology)), {
      response: json(Colored),
      detail: {
        ...describe(
          'Activate a service',
          'Sets the color of a service. Accepts `{item, color}` as JSON or a form. `color` is a named color of CSS, `#rrggbb` or `hsl(…)`; ' +
            `default: \`${ACTIVATED_COLOR}\`. An unknown item becomes a new service.`,
        ),
        // Read in the handler, so that htmx gets an error as a fragment.
        requestBody: jsonContent(ACTIVATION, { example: { item: 'D', color: '#00ffcc' } }),
      },
    })
}

async function activate(request: Request, topology: Topology): Promise<Response> {
  const fields = await readFields(request, ['item', 'color'])
  const item = textField(fields, 'item')
  const color = textField(fields, 'color', ACTIVATED_COLOR)
  topology.color(item, color)
  switch (acceptedBy(request)) {
    case 'htmx':
      return html(<Activated item={item} color={color} />)
    case 'browser':
      return new Response(null, { status: 303, headers: { Location: '/topology' } })
    case 'program':
      return Response.json({ message: `${item} updated to ${color}` })
  }
}

import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { Activated } from '../../../views/topology/answer.tsx'
import { mermaidText } from '../../core/graph.ts'
import type { Hub } from '../../hub/hub.ts'
import { readerOf } from '../../limits/client.ts'
import { textField } from '../../topology/input.ts'
import { SEED_TOPIC, type Topology } from '../../topology/topology.ts'
import { events, json } from '../answers/answer.ts'
import { Coloured, Diagram } from '../answers/topology.ts'
import { readFields } from '../http/fields.ts'
import { html } from '../http/html.ts'
import { operation } from '../http/operation.ts'
import { answering, audience } from '../live/accepts.tsx'
import { topologyApi } from './topology-api.ts'
import { topologyFaultRoutes } from './topology-faults.ts'
import { type TopologyPageOptions, topologyPages } from './topology-page.tsx'

/** The seed's default. */
const ACTIVATED_COLOUR = 'black'
const ACTIVATION = Type.Object({
  item: Type.String({ description: 'Id of a service' }),
  color: Type.Optional(Type.String({ default: ACTIVATED_COLOUR })),
})

export interface TopologyRoutesOptions extends TopologyPageOptions {
  hub: Hub
}

/** The topology: its page, its API, and the three routes of the seed's own protocol. */
export function topologyRoutes(options: TopologyRoutesOptions) {
  return new Elysia()
    .use(seedRoutes(options))
    .use(topologyApi(options))
    .use(topologyFaultRoutes(options))
    .use(topologyPages(options))
}

function seedRoutes({ topology, hub }: TopologyRoutesOptions) {
  return new Elysia()
    .get('/diagram', () => ({ diagram: mermaidText(topology.reported()) }), {
      detail: {
        ...operation('The diagram', 'What programs reported, as the text of a Mermaid flowchart.', {
          answers: json(Diagram),
        }),
        tags: ['Topology'],
      },
    })
    .get(
      '/events',
      ({ request, server }) => {
        server?.timeout(request, 0)
        return hub.subscribe(SEED_TOPIC, readerOf(request))
      },
      {
        detail: {
          ...operation(
            'That the diagram changed',
            'A server-sent event stream that says `update` whenever `GET /diagram` has something new.',
            { answers: events({ message: Type.Literal('update') }) },
          ),
          tags: ['Topology'],
        },
      },
    )
    .post('/activate', ({ request }) => answering(request, () => activate(request, topology)), {
      parse: 'none',
      detail: {
        ...operation(
          'Colour a service',
          'Takes `{item, color}` as JSON or a form. A `color` is one of a fixed set of names or `#rrggbb`, ' +
            `\`${ACTIVATED_COLOUR}\` when left out. An item that isn't known yet becomes a service.`,
          { body: ACTIVATION, example: { item: 'D', color: '#00ffcc' }, answers: json(Coloured) },
        ),
        tags: ['Topology'],
      },
    })
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

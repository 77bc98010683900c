import { type Static, Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { Applied, Previewed, Withdrawn } from '../../../views/topology/declare.tsx'
import type { Graph } from '../../core/graph.ts'
import { Problem } from '../../errors.ts'
import { checked } from '../../schema.ts'
import { type Declaration, MAX_DECLARED_CHARS, readDeclaration } from '../../topology/declared/declaration.ts'
import { requestFieldsOf, textField } from '../../topology/input.ts'
import { edgeKey } from '../../topology/model.ts'
import type { Topology } from '../../topology/topology.ts'
import { json, NOTHING } from '../answers/answer.ts'
import * as answers from '../answers/topology.ts'
import type { Body } from '../http/body.ts'
import { describe } from '../http/describe.ts'
import { html } from '../http/html.ts'
import { parseJson, readForm, readText } from '../http/input.ts'
import { part } from '../http/part.ts'
import { acceptedBy, answering } from '../live/accepts.tsx'

/** A character takes at most three bytes of UTF-8, and six as an escape of JSON. */
const MAX_BODY_BYTES = 6 * MAX_DECLARED_CHARS
const DeclarationText = Type.Object(
  { text: Type.String({ description: 'A Mermaid flowchart, or the YAML of a simulated graph' }) },
  { additionalProperties: false },
)

/** The declared topology: through the API, and as a form on the topology's page. */
export function declaredRoutes({ topology }: { topology: Topology }) {
  const path = '/api/topology/declared'
  return new Elysia({ detail: { tags: ['Topology'] } })
    .get(path, () => answerOf(topology), {
      response: json(answers.Declared),
      detail: describe('Get the declared topology', GET, { problems: ['not_found'] }),
    })
    .put(
      path,
      async ({ body: { text } }) => {
        await topology.declare(readDeclaration(text))
        return answerOf(topology)
      },
      {
        body: declarationBody(),
        response: json(answers.Declared),
        detail: describe('Declare the topology', PUT),
      },
    )
    .delete(
      path,
      async () => {
        await topology.declare(undefined)
        return new Response(null, { status: 204 })
      },
      {
        response: NOTHING,
        detail: describe('Withdraw the declared topology', 'Reported services and calls stay. Idempotent.'),
      },
    )
    .post('/topology/declared', ({ request }) => answering(request, () => submit(request, topology)), {
      detail: { hide: true },
    })
}

async function submit(request: Request, topology: Topology): Promise<Response> {
  const fields = requestFieldsOf(await readForm(request, MAX_BODY_BYTES), ['text', 'do'])
  const action = textField(fields, 'do')
  if (action === 'withdraw') await topology.declare(undefined)
  const declaration = action === 'withdraw' ? undefined : readDeclaration(textField(fields, 'text'))
  const shown = declaration && { ...declaration, ...news(declaration, topology.reported()) }
  if (action === 'apply' && declaration !== undefined) await topology.declare(declaration)
  if (acceptedBy(request) !== 'htmx') {
    return new Response(null, { status: 303, headers: { Location: '/topology' } })
  }
  if (shown === undefined) return html(<Withdrawn />)
  return html(action === 'apply' ? <Applied {...shown} /> : <Previewed {...shown} />)
}

/** What a declaration adds to the graph, and which calls were seen that it doesn't have. */
function news(declared: Declaration, { services, calls }: Graph) {
  const ids = new Set(services.map(({ id }) => id))
  const keys = new Set(calls.map(edgeKey))
  const declaredKeys = new Set(declared.calls.map(edgeKey))
  return {
    newServices: declared.services.filter(({ id }) => !ids.has(id)),
    newCalls: declared.calls.filter((call) => !keys.has(edgeKey(call))),
    undeclared: calls.filter((call) => call.count > 0 && !declaredKeys.has(edgeKey(call))),
  }
}

function answerOf(topology: Topology) {
  if (topology.declared === undefined) throw new Problem('not_found', 'No topology is declared.')
  const { services, calls, ...said } = topology.declared
  const counts = new Map(topology.reported().calls.map((call) => [edgeKey(call), call.count]))
  return {
    ...said,
    services: services.map((service) => ({ name: service.id, kind: 'service', ...service })),
    calls: calls.map((call) => ({ ...call, count: counts.get(edgeKey(call)) ?? 0 })),
  }
}

/** The text itself, or JSON with it. */
function declarationBody(): Body<Static<typeof DeclarationText>> {
  const read = async (request: Request) => {
    const text = await readText(request, MAX_BODY_BYTES)
    const isJson = request.headers.get('content-type')?.startsWith('application/json')
    return isJson ? checked(DeclarationText, parseJson(text)) : { text }
  }
  const example = 'flowchart LR\n  UI --> D\n  D --> P'
  return {
    ...part(read),
    requestBody: {
      required: true,
      content: {
        'text/plain': { schema: { type: 'string' }, example },
        'application/json': { schema: DeclarationText, example: { text: example } },
      },
    },
  }
}

const GET =
  'What was declared, as `text` and as services and calls, with the `count` of calls seen along each edge.'

const PUT =
  'Replaces what was declared, from the text of a Mermaid flowchart or the YAML of a simulated graph, sent as it is or as ' +
  '`{text}`. Declared services and calls are drawn before anything is reported of them, and never expire; a declared ' +
  'call is dotted until it is seen. Styles, links and directions of a flowchart are left out; subgraphs become groups. ' +
  'At most 200 services, 1,000 calls and 65,536 characters; an error names the line.'

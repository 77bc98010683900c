import { parseObject, readText } from '../service/body.ts'
import type { Feed } from '../service/events.ts'
import { ACTIONS, type Action } from '../service/readers.ts'
import { type FaultHolder, type FaultProblem, readFaults } from './faults.ts'

/** The largest body of a change. At the bound it is refused. */
export const MAX_FAULTS_BYTES = 16_384

const STATUS_OF = { invalid_json: 400, body_too_large: 413, invalid_field: 422 } as const

/** `GET`, `PUT` and `DELETE /faults`: answers with the faults there are then. */
export async function faultsRoute(request: Request, faults: FaultHolder): Promise<Response> {
  if (request.method === 'DELETE') faults.clear()
  if (request.method === 'PUT') {
    const value = await readJson(request)
    if (value instanceof Response) return value
    const read = readFaults(value)
    if ('problems' in read) return refusal('invalid_field', ...read.problems)
    faults.set(read.faults)
  }
  return Response.json(faults.current, { headers: { 'Cache-Control': 'no-store' } })
}

/** `POST /faults/actions`: does something once to the event streams that are open, and says to how many. */
export async function actionsRoute(request: Request, feed: Pick<Feed, 'act'>): Promise<Response> {
  const value = await readJson(request)
  if (value instanceof Response) return value
  const { action, ...others } = value
  const unknown = Object.keys(others)[0]?.slice(0, 200)
  if (unknown !== undefined)
    return refusal('invalid_field', { field: unknown, detail: `There is no field ${unknown}.` })
  if (!ACTIONS.includes(action as Action)) {
    return refusal('invalid_field', {
      field: 'action',
      detail: `action: expected ${ACTIONS.join(' or ')}.`,
    })
  }
  return Response.json({ connections: feed.act(action as Action) })
}

/** The body as a JSON object, or the answer that says why it isn't one. */
async function readJson(request: Request): Promise<Record<string, unknown> | Response> {
  const text = await readText(request.body, MAX_FAULTS_BYTES).catch(() => '')
  if (text === undefined) {
    return refusal('body_too_large', { field: '', detail: `Body is larger than ${MAX_FAULTS_BYTES} bytes.` })
  }
  return parseObject(text) ?? refusal('invalid_json', { field: '', detail: 'The body is not a JSON object.' })
}

/**
 * Problem details: the first of the problems, and all of them as `errors`.
 * @see https://www.rfc-editor.org/rfc/rfc9457
 */
function refusal(code: keyof typeof STATUS_OF, ...errors: FaultProblem[]): Response {
  const status = STATUS_OF[code]
  const { detail, field } = errors[0] ?? {}
  const named = field ? { field, errors } : {}
  return Response.json(
    { type: 'about:blank', title: code.replaceAll('_', ' '), status, code, detail, ...named },
    { status, headers: { 'Content-Type': 'application/problem+json' } },
  )
}

import type { Audit } from '../auth/audit.ts'
import { callerOf } from '../auth/caller.ts'
import { sessionIn } from '../auth/door.ts'
import { isSafe } from '../auth/scopes.ts'
import { addressOf } from '../limits/address.ts'

/** Where every page keeps room for who reads it. */
const ROOM = '<div class="who"></div>'
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/i

/**
 * A page that says who is logged in, and lets them log out.
 * @returns undefined where the answer stays as it is: it is no page, or nobody has to log in
 */
export async function nameCaller(request: Request, answer: unknown): Promise<Response | undefined> {
  const caller = callerOf(request)
  if (caller === undefined || caller.id === 'local') return undefined
  if (!(answer instanceof Response) || !answer.headers.get('content-type')?.startsWith('text/html'))
    return undefined
  const text = await answer.text()
  const { status, headers } = answer
  const name = `<span class="who-name" title="Scope: ${caller.scope}">${Bun.escapeHTML(caller.name)}</span>`
  // What a client sends with each request can't be taken back.
  const hasSession = sessionIn(request) !== undefined
  const out = '<form method="post" action="/logout"><button type="submit">Log out</button></form>'
  const who = `<div class="who">${name}${hasSession ? out : ''}</div>`
  return new Response(
    text.replace(ROOM, () => who),
    { status, headers },
  )
}

interface Handled {
  request: Request
  /** The route's pattern. */
  route: string
  params: unknown
  response: unknown
  status: number
}

/** Writes down what a caller changed. */
export function audited(audit: Audit, { request, route, params, response, status }: Handled): void {
  const caller = callerOf(request)
  const answered = response instanceof Response ? response.status : status
  if (caller === undefined || isSafe(request.method) || answered >= 400) return
  const address = addressOf(request) ?? 'unknown'
  const subject = subjectOf(params as Record<string, string> | undefined, response)
  audit.note({ caller, method: request.method, route, subject, status: answered, address })
}

/** The id in the path, or that of what was made. */
function subjectOf(params: Record<string, string> | undefined, response: unknown): string | undefined {
  const inPath = params?.id ?? params?.['*']
  if (inPath !== undefined || !(response instanceof Response)) return inPath
  const { headers } = response
  const made = headers.get('content-location') ?? headers.get('location') ?? headers.get('hx-redirect')
  return UUID.exec(made ?? '')?.[0]
}

import { admissionOf } from '../../auth/caller.ts'

/** Where every page keeps room for who reads it. */
const ROOM = '<div class="who"></div>'
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/i

/**
 * A page that says who is logged in, and lets them log out.
 * @returns undefined where the answer stays as it is: it is no page, or nobody has to log in
 */
export async function nameCaller(request: Request, answer: unknown): Promise<Response | undefined> {
  const { caller, how } = admissionOf(request) ?? {}
  if (caller === undefined || caller.id === 'local') return undefined
  if (!(answer instanceof Response) || !answer.headers.get('content-type')?.startsWith('text/html'))
    return undefined
  const text = await answer.text()
  const { status, headers } = answer
  const name = `<span class="who-name" title="Scope: ${caller.scope}">${Bun.escapeHTML(caller.name)}</span>`
  // What a client sends with each request can't be taken back.
  const out = '<form method="post" action="/logout"><button type="submit">Log out</button></form>'
  const who = `<div class="who">${name}${how === 'cookie' ? out : ''}</div>`
  return new Response(
    text.replace(ROOM, () => who),
    { status, headers },
  )
}

/** The id in the path, or that of what was made. */
export function subjectOf(params: Record<string, string> | undefined, response: unknown): string | undefined {
  const inPath = params?.id ?? params?.['*']
  if (inPath !== undefined || !(response instanceof Response)) return inPath
  const { headers } = response
  const made = headers.get('content-location') ?? headers.get('location') ?? headers.get('hx-redirect')
  return UUID.exec(made ?? '')?.[0]
}

import { RequestRefused } from '../../../views/topology/answer.tsx'
import { Problem } from '../../errors.ts'
import { html } from '../http/html.ts'

/** What the client accepts: htmx gets a fragment, a browser without script a whole page, a program JSON. */
export function acceptedBy({ headers }: Request): 'htmx' | 'browser' | 'program' {
  if (headers.get('hx-request') === 'true') return 'htmx'
  return headers.get('accept')?.includes('text/html') ? 'browser' : 'program'
}

/** htmx shows the response, so a problem becomes a sentence; other clients get problem details. */
export async function answering(request: Request, work: () => Promise<Response>): Promise<Response> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Problem) || acceptedBy(request) !== 'htmx') throw error
    return html(<RequestRefused reason={error.detail} />, { status: error.status })
  }
}

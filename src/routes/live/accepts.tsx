import { Refused } from '../../../views/topology/answer.tsx'
import { Problem } from '../../errors.ts'
import { html } from '../http/html.ts'

/** Who asks: htmx gets a fragment, a browser without script a whole page, a program JSON. */
export function audience({ headers }: Request): 'htmx' | 'browser' | 'program' {
  if (headers.get('hx-request') === 'true') return 'htmx'
  return headers.get('accept')?.includes('text/html') ? 'browser' : 'program'
}

/** htmx shows what it is answered, so a problem becomes a sentence; everyone else gets it as problem details. */
export async function answering(request: Request, work: () => Promise<Response>): Promise<Response> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Problem) || audience(request) !== 'htmx') throw error
    return html(<Refused reason={error.detail} />, { status: error.status })
  }
}

import { ProblemPage } from '../../../views/layout/problem.tsx'
import type { Problem } from '../../errors.ts'
import { readerOf } from '../access/reader.ts'
import { html } from './html.ts'

/**
 * An error response: problem details for programs, a page for people, and for htmx requests a notice that leaves the
 * page as it is.
 */
export async function problemResponse(problem: Problem, request: Request): Promise<Response> {
  const { title, detail, status } = problem
  if (request.headers.has('hx-request')) {
    const trigger = asciiJson({ problem: { detail } })
    const headers = { 'HX-Reswap': 'none', 'HX-Trigger': trigger }
    return problem.saysWhen(new Response(null, { status, headers }))
  }
  const wanted = request.headers.get('accept') ?? ''
  const isPage = !new URL(request.url).pathname.startsWith('/api/') && wanted.includes('text/html')
  if (!isPage) return problem.toResponse()
  const page = <ProblemPage reader={readerOf(request)} title={title} detail={detail} />
  return problem.saysWhen(await html(page, { status }))
}

/** JSON restricted to ASCII, for a header. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

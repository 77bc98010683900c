import { ProblemPage } from '../../../views/layout/problem.tsx'
import type { Problem } from '../../errors.ts'
import { html } from './html.ts'

/**
 * The answer to whoever asked: problem details for programs, a page for people, and for a part of a page that htmx
 * asked for, a notice that leaves the page as it is.
 */
export function problemResponse(problem: Problem, request: Request): Response | Promise<Response> {
  const { title, detail, status } = problem
  if (request.headers.has('hx-request')) {
    const trigger = asciiJson({ problem: { detail } })
    return new Response(null, { status, headers: { 'HX-Reswap': 'none', 'HX-Trigger': trigger } })
  }
  const wanted = request.headers.get('accept') ?? ''
  const isPage = !new URL(request.url).pathname.startsWith('/api/') && wanted.includes('text/html')
  return isPage ? html(<ProblemPage title={title} detail={detail} />, { status }) : problem.toResponse()
}

/** JSON in the characters that a header may hold. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

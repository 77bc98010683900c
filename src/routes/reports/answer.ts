import type { Child } from 'hono/jsx'
import { REPORT_POLICY } from '../../../views/reports/style.ts'
import { html } from '../http/html.ts'
import { choice } from '../http/query.ts'

const NDJSON = 'application/x-ndjson'
/** Parameters of a report's figures, besides what they are of. */
export const FORMAT = { format: choice(['json', 'ndjson'], 'Default: as accepted') }

/** It's complete by itself, and tells no other site where it was opened. */
export async function reportPage(view: Child): Promise<Response> {
  const response = await html(view)
  response.headers.set('Content-Security-Policy', REPORT_POLICY)
  response.headers.set('Referrer-Policy', 'no-referrer')
  return response
}

/** Whether lines were asked for, rather than one JSON. */
export function wantsLines(request: Request, format: 'json' | 'ndjson' | undefined): boolean {
  const accepts = request.headers.get('accept')?.includes(NDJSON) ? 'ndjson' : 'json'
  return (format ?? accepts) === 'ndjson'
}

/** A report in lines: what isn't a list, then the items of the lists, by the type that their lines get. */
export function reportLines(head: object, lists: Readonly<Record<string, readonly object[]>>): Response {
  const items = Object.entries(lists).flatMap(([type, list]) => list.map((item) => ({ type, ...item })))
  const text = [{ type: 'report', ...head }, ...items].map((line) => `${JSON.stringify(line)}\n`).join('')
  return new Response(text, { headers: { 'Content-Type': NDJSON } })
}

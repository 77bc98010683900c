import { Type } from '@sinclair/typebox'
import { accessOf } from '../../auth/access.ts'
import { PROBLEMS, type ProblemCode } from '../../errors.ts'
import { choice } from '../answers/types.ts'
import type { ApiOperation, ApiResponse } from './types.ts'

/** What each code means, for people. */
export const MEANINGS: Readonly<Record<ProblemCode, string>> = {
  bad_request: 'The request is malformed.',
  invalid_json: "The body isn't valid JSON.",
  unauthorized: 'The token or API key is missing, invalid, revoked, or expired.',
  forbidden_origin: 'The request came from a page on another origin.',
  forbidden_scope: 'The scope of the API key is insufficient; `detail` names the required scope.',
  not_found: "The resource doesn't exist.",
  no_laboratory: "The service doesn't support fault injection.",
  method_not_allowed: "The method isn't supported here.",
  conflict: "The request conflicts with the resource's current state.",
  body_too_large: 'The body exceeds the size limit.',
  too_large: 'The result would exceed a limit; `detail` says which one.',
  unsupported_media_type: "The content type isn't supported.",
  invalid_field: 'A field or parameter is invalid; `field` names it.',
  unreachable: "The API didn't respond.",
  not_allowed: "The destination isn't allowed; see ALLOW_HOSTS.",
  host_unknown: "The host name doesn't resolve.",
  too_many: 'A limit on the number of objects or concurrent requests is reached.',
  internal: 'Internal error; see the log of Weir.',
  damaged: "The stored data is damaged: it doesn't match its hash.",
  upstream_failed: 'An upstream service failed or sent an unexpected response.',
  unavailable: 'Temporarily unavailable, or not available in this process.',
}

/** The body of every error response. @see https://www.rfc-editor.org/rfc/rfc9457 */
export const ProblemSchema = Type.Object(
  {
    type: Type.Literal('about:blank'),
    title: Type.String({ description: 'Short title for the code' }),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    code: choice(Object.keys(PROBLEMS) as ProblemCode[]),
    detail: Type.String({ description: 'What went wrong and how to fix it' }),
    field: Type.Optional(Type.String({ description: 'The invalid field or parameter' })),
    requestId: Type.Optional(Type.String({ description: 'Same as X-Request-Id; search the log for it' })),
  },
  { $id: 'Problem', description: 'Problem details (RFC 9457)' },
)

/** A path of the document as a route pattern. */
export function patternOf(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1')
}

/** An operation's possible codes, by status: its own, and those that any such request can cause. */
export function codesOf(path: string, method: string, operation: ApiOperation): ProblemCode[] {
  const { parameters = [], requestBody, responses = {} } = operation
  const own = operation['x-problems'] ?? []
  const all = new Set(own)
  if (responses.default === undefined) {
    if (accessOf(method.toUpperCase(), patternOf(path)) !== 'open') all.add('unauthorized')
    if (method !== 'get') for (const code of ['forbidden_origin', 'forbidden_scope'] as const) all.add(code)
    if (parameters.some((parameter) => parameter.in === 'path')) all.add('not_found')
    if (parameters.some((parameter) => parameter.in === 'query')) all.add('invalid_field')
    if (requestBody !== undefined)
      for (const code of ['invalid_json', 'invalid_field', 'body_too_large'] as const) all.add(code)
  }
  return [...all].sort((a, b) => PROBLEMS[a] - PROBLEMS[b])
}

/** Those codes as responses by status, with a default for all others. */
export function problemResponses(
  codes: readonly ProblemCode[],
  hasDefault: boolean,
): Record<string, ApiResponse> {
  const byStatus = Map.groupBy(codes, (code) => String(PROBLEMS[code]))
  const told = [...byStatus].map(([status, those]) => [
    status,
    { ...problem(those.map((code) => `\`${code}\`: ${MEANINGS[code]}`).join(' ')), 'x-codes': those },
  ])
  const responses: Record<string, ApiResponse> = Object.fromEntries(told)
  if (!hasDefault) responses.default = problem('Any other problem')
  return responses
}

function problem(description: string): ApiResponse {
  return { description, content: { 'application/problem+json': { schema: ProblemSchema } } }
}

import { Type } from '@sinclair/typebox'
import { accessOf } from '../../auth/access.ts'
import { PROBLEMS, type ProblemCode } from '../../errors.ts'
import { choice } from '../answers/types.ts'
import type { ApiOperation, ApiResponse } from './types.ts'

/** What each code says, for people. */
export const MEANINGS: Readonly<Record<ProblemCode, string>> = {
  bad_request: 'The request can’t be read as what it should be.',
  invalid_json: 'The body isn’t JSON.',
  unauthorized: 'The token or key is missing, wrong, revoked, or expired.',
  forbidden_origin: 'A page of another site asked.',
  forbidden_scope: 'The key may not do that: `detail` says which scope may.',
  not_found: 'There is no such thing.',
  no_laboratory: 'The service can’t be told to fail.',
  method_not_allowed: 'Not with this method.',
  conflict: 'It is in a state in which that can’t be done.',
  body_too_large: 'The body is larger than it may be.',
  too_large: 'What would come of the request is more than may be: `detail` says which bound it exceeds.',
  unsupported_media_type: 'The body is of a type that isn’t known here.',
  invalid_field: 'A field or parameter isn’t as it should be: `field` names it.',
  unreachable: 'The API did not answer when it was asked.',
  not_allowed: 'Weir must not go there.',
  host_unknown: 'The host’s name leads nowhere.',
  too_many: 'There are as many as there may be, or too many at once.',
  internal: 'A fault inside Weir; its log says what.',
  damaged: 'What is stored doesn’t give what its hash says.',
  upstream_failed: 'Who had to be asked didn’t answer as it should.',
  unavailable: 'Not here, or not now.',
}

/** Every error that a caller is told. @see https://www.rfc-editor.org/rfc/rfc9457 */
export const ProblemSchema = Type.Object(
  {
    type: Type.Literal('about:blank'),
    title: Type.String({ description: 'The code in words' }),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    code: choice(Object.keys(PROBLEMS) as ProblemCode[]),
    detail: Type.String({ description: 'What is wrong and, where that helps, what to do' }),
    field: Type.Optional(Type.String({ description: 'The field or parameter that is to blame' })),
    requestId: Type.Optional(
      Type.String({ description: 'What X-Request-Id says, too: the log has more of it' }),
    ),
  },
  { $id: 'Problem', description: 'Problem details (RFC 9457)' },
)

/** A path of the document as the routes have it. */
export function patternOf(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1')
}

/** The codes that an operation may answer with, in the order of their statuses: its own, and what its request brings. */
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

/** Those codes as responses, by status, and what stands for any other. */
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

import type { DocumentDecoration } from 'elysia'
import type { ProblemCode } from '../../errors.ts'
import type { Answers } from '../answers/answer.ts'
import { inQuery, type Parameter } from './parameters.ts'

/**
 * Documents a route in OpenAPI: body schema, query parameters, responses and problems. Nothing is validated against it:
 * the route checks its own input.
 */
export function operation(
  summary: string,
  description?: string,
  { body, isOptional = false, example, parameters = [], answers, problems = [] }: OperationOptions = {},
) {
  const content = { 'application/json': { schema: body, ...(example !== undefined && { example }) } }
  return {
    summary,
    description,
    ...(body && { requestBody: { required: !isOptional, content } }),
    ...(parameters.length > 0 && { [PARAMETERS_FIELD]: parameters.map(inQuery) }),
    ...(answers && { responses: answers as Responses }),
    ...(problems.length > 0 && { [PROBLEMS_FIELD]: problems }),
  }
}

type Responses = NonNullable<DocumentDecoration['responses']>

/**
 * Keys that hold these until the document is built: `@elysiajs/openapi` replaces all parameters with those of the path,
 * and problems become responses.
 */
export const PARAMETERS_FIELD = 'x-parameters'
export const PROBLEMS_FIELD = 'x-problems'

export interface OperationOptions {
  body?: object
  /** Whether the body is optional. */
  isOptional?: boolean
  /** An example body. */
  example?: unknown
  /** Query parameters, by name or in full. */
  parameters?: readonly (string | Parameter)[]
  answers?: Answers
  /** In addition to those that any route with such a path, query, or body has. */
  problems?: readonly ProblemCode[]
}

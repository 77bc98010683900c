import type { DocumentDecoration } from 'elysia'
import type { ProblemCode } from '../../errors.ts'
import type { Answers } from '../answers/answer.ts'
import { inQuery, type Parameter } from './parameters.ts'

/**
 * What the API's documentation says of a route: its body's schema, its query's parameters, what it answers and which
 * problems. It is never validated against: the route checks its own input, and answers from types.
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
 * Where these stand until the document is made: `@elysiajs/openapi` puts the parameters of a path in the place of all
 * others, and problems become responses.
 */
export const PARAMETERS_FIELD = 'x-parameters'
export const PROBLEMS_FIELD = 'x-problems'

export interface OperationOptions {
  body?: object
  /** Whether the body may be left out. */
  isOptional?: boolean
  /** A body to begin with. */
  example?: unknown
  /** Of the query: by name, or more exactly. */
  parameters?: readonly (string | Parameter)[]
  answers?: Answers
  /** Beyond those that every route has with such a path, query, or body. */
  problems?: readonly ProblemCode[]
}

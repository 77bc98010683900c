import type { DocumentDecoration } from 'elysia'
import type { ProblemCode } from '../../errors.ts'

/** Describes a route in OpenAPI. The rest is documented where it's declared: `query`, `body`, `response`. */
export function describe(
  summary: string,
  description?: string,
  { problems = [] }: Described = {},
): DocumentDecoration {
  return {
    summary,
    description,
    ...(problems.length > 0 && { [PROBLEMS_FIELD]: problems }),
  }
}

/** Key that holds the problems until the document is built: they become responses. */
export const PROBLEMS_FIELD = 'x-problems'

export interface Described {
  /** In addition to those that any route with such a path, query, or body has. */
  problems?: readonly ProblemCode[]
}

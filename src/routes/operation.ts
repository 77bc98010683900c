/** What the API's documentation says of a route: its body's schema, and the names of its query's parameters. */
export function operation(
  summary: string,
  description?: string,
  { body, isOptional = false, parameters = [] }: OperationOptions = {},
) {
  return {
    summary,
    description,
    ...(body && {
      requestBody: { required: !isOptional, content: { 'application/json': { schema: body } } },
    }),
    ...(parameters.length > 0 && { parameters: parameters.map(inQuery) }),
  }
}

export interface OperationOptions {
  body?: object
  /** Whether the body may be left out. */
  isOptional?: boolean
  parameters?: readonly string[]
}

function inQuery(name: string) {
  return { name, in: 'query' as const, schema: { type: 'string' as const } }
}

import { type OpenApiOptions, operationsOf } from '../../src/transfer/openapi/operations.ts'

/** An operation as it would be registered. */
export interface Read {
  line: number
  url: string
  name?: string
  kind?: string
  tags?: string[]
  headers?: Record<string, string>
  /** Why it can't be a stream. */
  detail?: string
  field?: string
}

/** The operations of a document. */
export function read(document: unknown, options: Partial<OpenApiOptions> = {}): Read[] {
  const given = { headers: {}, params: new Map(), ...options }
  const lines = [...operationsOf(document, given)].filter((line) => line !== undefined)
  return lines.map(({ line, value, problem }) => {
    const { detail, field } = problem ?? {}
    return { line, ...(value as { url: string }), ...(detail && { detail }), ...(field && { field }) }
  })
}

/** What becomes of one GET operation, in a document that says nothing else but where it is. */
export function one(
  operation: object,
  rest: object = {},
  options: Partial<OpenApiOptions> = {},
  path = '/a',
): Read {
  const servers = [{ url: 'https://h' }]
  return read(
    { openapi: '3.0.3', servers, paths: { [path]: { get: operation } }, ...rest },
    options,
  )[0] as Read
}

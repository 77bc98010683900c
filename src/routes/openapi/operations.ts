import type { Answer } from '../answers/answer.ts'
import type { Body } from '../http/body.ts'
import { documentedQuery, type Parameters, type Query } from '../http/query.ts'
import type { ApiOperation, ApiParameter } from './types.ts'

/** A route as Elysia lists it. */
export interface Route {
  method: string
  path: string
  hooks: object
}

/** What a route declares. */
interface Hooks {
  detail?: Partial<ApiOperation> & { hide?: boolean }
  query?: Partial<Query<Parameters>>
  body?: Partial<Body<unknown>>
  response?: Readonly<Record<string, Partial<Answer<unknown>>>>
}

export type Paths = Readonly<Record<string, Readonly<Record<string, ApiOperation>>>>

/** The operations of all routes that aren't hidden, by path and method, from what each declares. */
export function operationsOf(routes: readonly Route[]): Paths {
  const shown = routes.filter(({ hooks }) => !(hooks as Hooks).detail?.hide)
  const byPath = Map.groupBy(shown, ({ path }) => path.replaceAll(/:(\w+)/g, '{$1}'))
  const entries = [...byPath].map(([path, those]) => [
    path,
    Object.fromEntries(those.map((route) => [route.method.toLowerCase(), operationOf(route)])),
  ])
  return Object.fromEntries(entries)
}

function operationOf({ method, path, hooks }: Route): ApiOperation {
  const { detail = {}, query, body, response = {} } = hooks as Hooks
  const parameters = [
    ...[...path.matchAll(/:(\w+)/g)].map(([, name = '']) => inPath(name)),
    ...documentedQuery(query?.parameters ?? {}),
    ...(detail.parameters ?? []),
  ]
  const { hide: _, ...described } = detail
  return {
    summary: '',
    ...described,
    operationId: operationIdOf(method, path),
    ...(parameters.length > 0 && { parameters }),
    responses: { ...responsesOf(response), ...described.responses },
    ...(body?.requestBody && { requestBody: body.requestBody as ApiOperation['requestBody'] }),
  }
}

function responsesOf(response: NonNullable<Hooks['response']>): ApiOperation['responses'] {
  const entries = Object.entries(response).map(([status, { documented }]) => [status, documented])
  return Object.fromEntries(entries)
}

/** Such as `getApiStreamsById`. */
function operationIdOf(method: string, path: string): string {
  const words = path
    .split('/')
    .map((part) => capital(part.startsWith(':') ? `by${capital(part.slice(1))}` : part))
  return method.toLowerCase() + (path === '/' ? 'Index' : words.join(''))
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}

function inPath(name: string): ApiParameter {
  return { name, in: 'path', required: true, schema: { type: 'string' } }
}

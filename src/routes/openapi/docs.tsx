import { Elysia } from 'elysia'
import { raw } from 'hono/html'
import { OpenApiPage, Reference } from '../../../views/openapi/openapi.tsx'
import { readerOf } from '../access/reader.ts'
import { html } from '../http/html.ts'
import { completeDocument } from './document.ts'
import { operationsOf, type Route } from './operations.ts'
import { referenceOf } from './reference.ts'

export interface DocsRoutesDeps {
  version: string
  /** All routes. They are registered before the first request and don't change. */
  routes(): readonly Route[]
}

/** The OpenAPI document, made from the routes themselves, and a page that shows it. */
export function docsRoutes({ version, routes }: DocsRoutesDeps) {
  const document = once(() => completeDocument(operationsOf(routes()), version))
  // The same for every reader, and large: rendered once.
  const reference = once(() => raw(String(<Reference {...referenceOf(document())} />)))
  return new Elysia({ detail: { hide: true } })
    .get('/openapi/json', () => Response.json(document()))
    .get('/openapi', ({ request }) =>
      html(<OpenApiPage reader={readerOf(request)}>{reference()}</OpenApiPage>),
    )
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

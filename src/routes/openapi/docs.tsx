import { Elysia } from 'elysia'
import { raw } from 'hono/html'
import { OpenApiPage, Reference } from '../../../views/openapi/openapi.tsx'
import { readerOf } from '../access/reader.ts'
import { html } from '../http/html.ts'
import { completeDocument } from './document.ts'
import { referenceOf } from './reference.ts'
import type { ApiDocument } from './types.ts'

/** The OpenAPI document, made from the routes themselves, and a page that shows it. */
export function docsRoutes(version: string) {
  const app = new Elysia({ detail: { hide: true } })
  // All routes are there by the time of the first request, and stay as they are.
  const document = once(async () => {
    const { toOpenAPISchema } = await import('@elysiajs/openapi')
    return completeDocument(toOpenAPISchema(app).paths as unknown as ApiDocument['paths'], version)
  })
  // The same for every reader, and large: rendered once.
  const reference = once(async () => raw(String(<Reference {...referenceOf(await document())} />)))
  return app
    .get('/openapi/json', async () => Response.json(await document()))
    .get('/openapi', async ({ request }) =>
      html(<OpenApiPage reader={readerOf(request)}>{await reference()}</OpenApiPage>),
    )
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

import { Elysia } from 'elysia'
import { OpenApiPage } from '../../../views/openapi/openapi.tsx'
import { html, pageHeaders } from '../http/html.ts'
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
  // The same for everybody, and large: written once.
  const page = once(async () => (await html(<OpenApiPage {...referenceOf(await document())} />)).bytes())
  return app
    .get('/openapi/json', async () => Response.json(await document()))
    .get('/openapi', async () => new Response(await page(), { headers: pageHeaders({}) }))
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

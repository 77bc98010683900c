import { openapi } from '@elysiajs/openapi'
import { Elysia } from 'elysia'
import { OpenApiPage } from '../../views/openapi.tsx'
import { html } from './html.ts'

const DESCRIPTION =
  'Register an API, start and stop its stream, and ask for its status, logs, size and change. ' +
  'Errors are problem details (RFC 9457) with a `code` and, where one is to blame, the `field`.'

/** The OpenAPI document, made from the routes themselves, and a page that shows it without reaching elsewhere. */
export function docsRoutes(version: string) {
  return new Elysia()
    .use(
      openapi({
        provider: null,
        path: '/openapi',
        documentation: { info: { title: 'Weir', version, description: DESCRIPTION } },
      }),
    )
    .get('/openapi', () => html(<OpenApiPage />, { inlineStyle: true }), { detail: { hide: true } })
}

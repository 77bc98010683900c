import { Page } from './layout.tsx'

/** The documentation of the API: a viewer served by Weir itself, over the document at `/openapi/json`. */
export function OpenApiPage() {
  return (
    <Page title="API" section="/openapi" scripts={['swagger-ui.js', 'openapi.ts']}>
      <link rel="stylesheet" href="/assets/swagger-ui.css" />
      <div class="heading">
        <h1>API</h1>
        <a class="button" href="/openapi/json">
          OpenAPI document
        </a>
      </div>
      <div id="openapi" class="openapi">
        <p class="muted">
          The viewer needs script; the <a href="/openapi/json">document</a> itself doesn't.
        </p>
      </div>
    </Page>
  )
}

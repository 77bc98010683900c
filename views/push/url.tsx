import { type ForReader, Page } from '../layout/layout.tsx'

interface PushUrlData {
  id: string
  name: string
  url: string
}

/** Shows the URL of a push stream, which can't be shown again. */
export function PushUrlPage({ reader, id, name, url }: PushUrlData & ForReader) {
  return (
    <Page reader={reader} title={`Push to ${name}`} section="/streams">
      <link rel="stylesheet" href="/assets/views/stream/stream.css" />
      <h1 class="wrap">
        Push to <a href={`/streams/${id}`}>{name}</a>
      </h1>
      <section class="panel" aria-label="URL">
        <p>Copy this URL now. It isn’t shown again; a new one replaces it.</p>
        <pre class="wrap" id="push-url">
          {url}
        </pre>
        <p>Send something to try it:</p>
        <pre class="wrap">{exampleOf(url)}</pre>
        <p>
          <a class="button" href={`/streams/${id}`}>
            Done
          </a>
        </p>
      </section>
    </Page>
  )
}

/** A delivery without a signature. */
export function exampleOf(url: string): string {
  return `curl -X POST '${url}' -H 'Content-Type: application/json' -d '{"hello": "weir"}'`
}

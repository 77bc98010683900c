import { type ForReader, Page } from './layout.tsx'

/** The error page. */
export function ProblemPage({ reader, title, detail }: { title: string; detail: string } & ForReader) {
  return (
    <Page reader={reader} title={title}>
      <section class="panel empty">
        <h1>{title.charAt(0).toUpperCase() + title.slice(1)}</h1>
        <p>{detail}</p>
        <p>
          <a href="/streams">Go to streams</a>
        </p>
      </section>
    </Page>
  )
}

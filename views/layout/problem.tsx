import { Page } from './layout.tsx'

/** What a person sees instead of the page they asked for. */
export function ProblemPage({ title, detail }: { title: string; detail: string }) {
  return (
    <Page title={title}>
      <section class="panel empty">
        <h1>{title.charAt(0).toUpperCase() + title.slice(1)}</h1>
        <p>{detail}</p>
        <p>
          <a href="/streams">Go to the streams</a>
        </p>
      </section>
    </Page>
  )
}

import type { Child } from 'hono/jsx'
import type { Graph } from '../../src/core/graph.ts'
import { type ForReader, Page } from '../layout/layout.tsx'
import { DeclareForm } from './declare.tsx'
import { ActivateForm, RequestForm } from './forms.tsx'
import { Detail } from './panel.tsx'
import { Replay } from './replay.tsx'
import { Services } from './services.tsx'
import { Legend, Tools } from './tools.tsx'

export interface TopologyPageProps extends Graph {
  /** ID of the service that requests go through by default. */
  entryId: string | undefined
  /** The graph as Mermaid text. */
  diagram: string
  /** Suggested color names. */
  colors: readonly string[]
  /** The text of the declared topology. */
  declared: string | undefined
  /** Public URL of Weir, for the example that reports a service. */
  origin: string
  /** The result of a form that was sent without script. */
  answer?: Child
}

/** The live picture of services and calls, the same as a table, and the forms that act on it. */
export function TopologyPage({ reader, ...props }: TopologyPageProps & ForReader) {
  const { services, calls, entryId, diagram, colors, declared, origin, answer } = props
  return (
    <Page
      reader={reader}
      title="Topology"
      section="/topology"
      scripts={['views/topology/client/topology.ts']}
      wide
    >
      <link rel="stylesheet" href="/assets/views/topology/topology.css" />
      <link rel="stylesheet" href="/assets/views/topology/topology-picture.css" />
      <div class="topology-head">
        <h1>Topology</h1>
        <p class="muted">
          <span id="service-count">{services.length}</span> services,{' '}
          <span id="call-count">{calls.length}</span> calls
        </p>
        <p class="feed" id="feed" role="status" data-state="connecting" hidden>
          Connecting…
        </p>
        <p class="muted" id="joined" hidden />
      </div>
      <Empty origin={origin} hidden={services.length > 0} />
      <div class="topology-body" id="graph" hidden={services.length === 0}>
        <div class="topology-main">
          <Tools />
          <Picture diagram={diagram} />
          <Replay />
        </div>
        <aside class="topology-panel" id="panel" aria-label="Service">
          <Detail />
          <p class="panel muted replay-only">
            Requests, colors and faults only work live. Go back to Live to use them.
          </p>
          <div class="topology-forms">
            <RequestForm services={services} entryId={entryId} answer={answer} />
            <ActivateForm services={services} colors={colors} />
          </div>
        </aside>
        <Services services={services} calls={calls} />
      </div>
      <DeclareForm text={declared} />
    </Page>
  )
}

function Empty({ origin, hidden }: { origin: string; hidden: boolean }) {
  const report = '{"services":[{"id":"UI"}],"calls":[{"from":"UI","to":"D","status":200}]}'
  return (
    <section class="panel empty" id="empty" hidden={hidden}>
      <h2>No services yet</h2>
      <p>Start the simulation with eight services:</p>
      <pre tabindex={0}>bun run sim</pre>
      <p>Or declare below which services and calls you expect, or report them yourself:</p>
      <pre tabindex={0}>
        {`curl ${origin}/api/topology -H 'Content-Type: application/json' \\\n  -d '${report}'`}
      </pre>
    </section>
  )
}

function Picture({ diagram }: { diagram: string }) {
  return (
    <section class="picture" aria-label="Picture">
      <p class="replay-banner" id="replay-banner" role="status" hidden />
      {/* biome-ignore lint/a11y/useSemanticElements: it is a picture, and holds no fields */}
      <div class="picture-panel" id="picture" tabindex={0} role="group" aria-label="Diagram">
        <noscript>
          <p>The picture requires JavaScript. Its source and the list of services are below.</p>
        </noscript>
      </div>
      <p class="view-note" id="view-note" role="status" hidden />
      <Legend />
      <details>
        <summary>Mermaid source</summary>
        <pre class="mermaid-source" id="mermaid-source" tabindex={0}>
          {diagram}
        </pre>
      </details>
    </section>
  )
}

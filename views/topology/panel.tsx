import { FaultForm } from './faults.tsx'

/** What is known of the service or call that was chosen; the script fills it in. */
export function Detail() {
  return (
    <section class="panel chosen" id="detail" aria-labelledby="detail-title" hidden>
      <header>
        {/* biome-ignore lint/a11y/useHeadingContent: a script fills and shows it */}
        <h2 id="detail-title" tabindex={-1} />
        <button type="button" id="detail-close" aria-label="Close" aria-keyshortcuts="Escape">
          ✕
        </button>
      </header>
      <dl class="detail-facts" id="detail-facts" />
      <div class="detail-actions">
        <button type="button" id="detail-focus">
          Only its neighbourhood
        </button>
        <button type="button" id="detail-group" hidden />
        {/* biome-ignore lint/a11y/useValidAnchor: a script gives it its address and shows it */}
        <a class="button" id="detail-link" hidden>
          Open in console
        </a>
      </div>
      <Part id="members" title="Services in it" />
      <Part id="callers" title="Called by" />
      <Part id="callees" title="Calls" />
      <section id="streams-section" hidden>
        <h3>Streams</h3>
        <ul class="detail-list" id="streams" />
        {/* biome-ignore lint/a11y/useAnchorContent: a script fills and shows it */}
        {/* biome-ignore lint/a11y/useValidAnchor: a script fills and shows it */}
        <a id="streams-more" hidden />
      </section>
      <section id="log-section" hidden>
        <h3>Last log lines</h3>
        <ul class="detail-log" id="log-lines" />
      </section>
      <FaultForm />
    </section>
  )
}

function Part({ id, title }: { id: string; title: string }) {
  return (
    <section id={`${id}-section`} hidden>
      <h3>{title}</h3>
      <ul class="detail-list" id={id} />
    </section>
  )
}

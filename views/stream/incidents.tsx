import { IncidentItem, type IncidentRow } from '../incidents/incidents.tsx'

export interface StreamIncidentsData {
  streamId: string
  /** Open ones first, then those that are over; the newest of each first. */
  items: readonly IncidentRow[]
  /** Whether there are more. */
  more: boolean
}

/** What is wrong with a stream, and what was; looks again by itself. */
export function StreamIncidents({ streamId, items, more }: StreamIncidentsData) {
  return (
    <section
      class="panel"
      id="incidents"
      aria-labelledby="incidents-heading"
      hx-get={`/streams/${streamId}/incidents`}
      hx-trigger="every 10s, weir-back from:body"
      hx-swap="outerMorph"
    >
      <h2 id="incidents-heading">Incidents</h2>
      {items.length === 0 ? (
        <p class="muted">Nothing is wrong, and nothing was.</p>
      ) : (
        <ul class="incidents">
          {items.map((incident) => (
            <IncidentItem {...incident} />
          ))}
        </ul>
      )}
      {more && (
        <p class="paging">
          <a href={`/api/incidents?stream=${streamId}`}>All of them, as JSON</a>
        </p>
      )}
    </section>
  )
}

import { IncidentItem, type IncidentView } from '../incidents/incidents.tsx'

export interface StreamIncidentsData {
  streamId: string
  /** Open ones first, then resolved ones; the newest of each first. */
  items: readonly IncidentView[]
  /** Whether there are more. */
  more: boolean
}

/** Open and past incidents of a stream; refreshes itself. */
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
        <p class="muted">No incidents.</p>
      ) : (
        <ul class="incidents">
          {items.map((incident) => (
            <IncidentItem {...incident} />
          ))}
        </ul>
      )}
      {more && (
        <p class="paging">
          <a href={`/api/incidents?stream=${streamId}`}>All incidents (JSON)</a>
        </p>
      )}
    </section>
  )
}

import { Elysia } from 'elysia'
import { IncidentDetails, IncidentPage, type IncidentPageData } from '../../../views/incidents/incident.tsx'
import {
  IncidentItem,
  type IncidentRow as IncidentLine,
  IncidentsList,
  IncidentsPage,
  type IncidentsPageData,
} from '../../../views/incidents/incidents.tsx'
import { Problem } from '../../errors.ts'
import { severityOf } from '../../incidents/causes.ts'
import {
  acknowledge,
  getIncident,
  type IncidentRow,
  listIncidents,
  openIncidents,
  stateOf,
  streamNames,
  type TimelineItem,
  timelineOf,
} from '../../incidents/read.ts'
import { html } from '../http/html.ts'
import { query, readForm } from '../http/input.ts'
import { redirect } from '../http/redirect.ts'
import type { LivePages } from '../live/live-pages.tsx'
import type { LivePart } from '../live/live-views.tsx'
import type { IncidentRoutesDeps } from './incidents.ts'

const OPEN_SHOWN = 100
const PAST_SHOWN = 30
const CHILDREN_SHOWN = 50
/** The pages about what is wrong, by which rules, and when nobody is told. */
export function incidentPages({ db, now, pages }: IncidentRoutesDeps & { pages: LivePages }) {
  const written = { parse: 'none' } as const
  return new Elysia({ detail: { hide: true } })
    .get('/incidents', async ({ request }) =>
      html(<IncidentsPage {...(await incidentsData(query(request, 'after').after))} />),
    )
    .get('/incidents/live', ({ request, server }) => {
      const { after } = query(request, 'after')
      server?.timeout(request, 0)
      return pages.views.subscribe(request, { subjects: ['incidents'], read: () => incidentsParts(after) })
    })
    .get('/incidents/:id', async ({ params }) => html(<IncidentPage {...(await incidentData(params.id))} />))
    .get('/incidents/:id/live', async ({ params, request, server }) => {
      const { id } = await getIncident(db, params.id)
      server?.timeout(request, 0)
      return pages.views.subscribe(request, {
        subjects: ['incidents', 'channels'],
        read: async () => {
          return [{ id: 'incident', html: String(<IncidentDetails {...(await incidentData(id))} />) }]
        },
      })
    })
    .post(
      '/incidents/:id/acknowledge',
      async ({ params, request }) => {
        const { by = '', note = '' } = await readForm(request)
        if (by.trim() === '') throw new Problem('invalid_field', 'Say who looks after it.', 'by')
        await acknowledge(db, params.id, { by: by.trim().slice(0, 100), note: note.slice(0, 1_000) }, now())
        return redirect(`/incidents/${params.id}`)
      },
      written,
    )

  async function incidentsData(after: string | undefined): Promise<IncidentsPageData> {
    const [open, acknowledged, past, count] = await Promise.all([
      listIncidents(db, { state: 'open', limit: OPEN_SHOWN }),
      listIncidents(db, { state: 'acknowledged', limit: OPEN_SHOWN }),
      listIncidents(db, { state: 'resolved', limit: PAST_SHOWN, after }),
      openIncidents(db),
    ])
    const shown = [...open.items, ...acknowledged.items].filter(({ parentId }) => parentId === null)
    return {
      open: shown.map(incidentLine),
      more: Math.max(0, count - shown.length),
      past: past.items.map(incidentLine),
      older: past.next && `/incidents?after=${past.next}`,
      live: `/incidents/live${after === undefined ? '' : `?${new URLSearchParams({ after })}`}`,
    }
  }

  async function incidentsParts(after: string | undefined): Promise<LivePart[]> {
    const data = await incidentsData(after)
    const rows = [...data.open, ...data.past].map(
      (incident) => [`incident-${incident.id}`, String(<IncidentItem {...incident} />)] as const,
    )
    return [{ id: 'incidents', html: String(<IncidentsList {...data} />), rows }]
  }

  async function incidentData(id: string): Promise<IncidentPageData> {
    const incident = await getIncident(db, id)
    const [timeline, children, names] = await Promise.all([
      timelineOf(db, incident),
      listIncidents(db, { parent: incident.id, limit: CHILDREN_SHOWN }),
      streamNames(db, [incident.streamId]),
    ])
    const parent =
      incident.parentId === null ? null : await getIncident(db, incident.parentId).catch(() => null)
    const name = incident.streamId === null ? undefined : names.get(incident.streamId)
    const { since } = (incident.evidence ?? {}) as { since?: number }
    return {
      incident: incidentLine(incident),
      stream: name === undefined || incident.streamId === null ? null : { id: incident.streamId, name },
      host: incident.host,
      parent,
      children: children.items.map(incidentLine),
      moreChildren: children.next !== undefined,
      since: since === undefined ? undefined : new Date(since),
      timeline: timeline.map(timelineRow),
    }
  }
}

/** An incident as a line of a list. */
export function incidentLine(incident: IncidentRow): IncidentLine {
  const { id, title, detail, cause, affected, openedAt, acknowledgedBy, resolvedAt } = incident
  const state = stateOf(incident)
  return {
    id,
    title,
    detail,
    severity: severityOf(cause),
    state,
    affected,
    openedAt,
    acknowledgedBy,
    resolvedAt,
  }
}

const EVENTS: Record<TimelineItem['kind'], string> = {
  opened: 'Opened',
  worsened: 'Got worse',
  told: 'Told',
  reminded: 'Reminded',
  acknowledged: 'Acknowledged',
  resolved: 'Over',
  over: 'Told that it is over:',
}

function timelineRow({ at, kind, note, channel, delivery }: TimelineItem) {
  return {
    at,
    text: kind === 'told' && channel === null ? 'Told nobody' : EVENTS[kind],
    note,
    channel: channel && { href: `/channels/${channel.id}`, name: channel.name ?? 'a channel that is gone' },
    delivery: delivery && (delivery.status ?? 'no longer kept'),
  }
}

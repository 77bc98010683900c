import { Type } from '@sinclair/typebox'
import { INCIDENT_EVENTS } from '../../../drizzle/schema.ts'
import { CAUSES } from '../../incidents/causes.ts'
import { INCIDENT_STATES } from '../../incidents/read.ts'
import { RULE_KINDS } from '../../incidents/rule-kinds.ts'
import { ScheduleSchema } from '../../incidents/silences.ts'
import { Count, choice, Id, Instant, Json, named, nullable, Text } from './types.ts'

const incident = {
  id: Id,
  state: choice(INCIDENT_STATES),
  cause: choice(Object.keys(CAUSES)),
  title: Text,
  detail: Text,
  streamId: nullable(Id, "Null for incidents of a host or of Weir's own network"),
  host: nullable(Text),
  parentId: nullable(Id, 'ID of the incident that caused this one'),
  affected: Type.Integer({ minimum: 0, description: 'Number of affected streams' }),
  evidence: Json,
  since: Type.String({
    format: 'date-time',
    description: 'First failure: earlier than the opening. For what a rule finds, the opening',
  }),
  until: nullable(Instant, 'First success after it; null while it is open'),
  durationMs: Type.Integer({
    minimum: 0,
    description: 'From `since` to `until`, or until now, in milliseconds',
  }),
  openedAt: Instant,
  acknowledgedAt: nullable(Instant),
  acknowledgedBy: nullable(Text),
  resolvedAt: nullable(Instant),
  notifiedAt: nullable(Instant),
  remindedAt: nullable(Instant),
  resolvedNotifiedAt: nullable(Instant),
}
export const Incident = named('Incident', incident, 'One problem, from the first failure to recovery')

const TimelineItem = Type.Object({
  at: Instant,
  kind: choice(['opened', ...INCIDENT_EVENTS, 'resolved']),
  note: nullable(Text),
  channel: nullable(Type.Object({ id: Id, name: nullable(Text) })),
  delivery: nullable(Type.Object({ id: Id, status: nullable(Text), attempts: nullable(Count) })),
})
export const IncidentWithTimeline = named('IncidentWithTimeline', {
  ...incident,
  timeline: Type.Array(TimelineItem),
})

export const Rule = named('Rule', {
  id: Id,
  name: Text,
  kind: choice(RULE_KINDS),
  params: Type.Object({}, { additionalProperties: true, description: 'Parameters, depending on the kind' }),
  streamId: nullable(Id),
  tag: nullable(Text),
  failureThreshold: Count,
  successThreshold: Count,
  isEnabled: Type.Boolean(),
  lookedAt: nullable(Instant, 'Last evaluation'),
  createdAt: Instant,
  updatedAt: Instant,
})

const Window = nullable(Type.Object({ from: nullable(Instant), to: nullable(Instant) }))
export const Silence = named('Silence', {
  id: Id,
  reason: Text,
  streamId: nullable(Id),
  tag: nullable(Text),
  startsAt: Instant,
  endsAt: nullable(Instant),
  schedule: nullable(ScheduleSchema),
  active: Type.Union(Window.anyOf, { description: 'Current window; null if not active' }),
  next: Type.Union(Window.anyOf, { description: 'Next window; null while one is active' }),
  createdAt: Instant,
})

import type { Call, Service, ServiceKind } from '../../core/graph.ts'
import { Latency } from '../../core/latency.ts'
import { FIRST_COLOUR } from '../model.ts'
import type { CallRow, MinuteRow, ServiceRow } from './rows.ts'
import { Tally } from './tallies.ts'

/** A service as it was stored; what nobody said is as of one that was only called. */
export function serviceOf({ id, name, kind, group, url, colour, reportedAt }: ServiceRow): Service {
  const service: Service = {
    id,
    name: name ?? id,
    kind: (kind ?? 'service') as ServiceKind,
    colour: colour ?? FIRST_COLOUR,
    reportedAt: new Date(reportedAt).toISOString(),
  }
  if (group !== null) service.group = group
  if (url !== null) service.url = url
  return service
}

export function callOf({ from, to, count, errors, lastStatus, lastDurationMs, calledAt }: CallRow): Call {
  const call: Call = { from, to, count, errors }
  if (lastStatus !== null) call.lastStatus = lastStatus
  if (lastDurationMs !== null) call.lastDurationMs = lastDurationMs
  if (calledAt !== null) call.calledAt = new Date(calledAt).toISOString()
  return call
}

export function tallyOf({ count, errors, latency }: MinuteRow): Tally {
  return new Tally(Latency.from(latency), count, errors)
}

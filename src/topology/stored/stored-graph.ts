import type { Call, Service, ServiceKind } from '../../core/graph.ts'
import { Latency } from '../../core/latency.ts'
import { FIRST_COLOR } from '../model.ts'
import type { CallRow, MinuteRow, ServiceRow } from './rows.ts'
import { CallTally } from './tallies.ts'

/** A stored service; unreported fields have the values of a service that was only called. */
export function serviceOfRow({ id, name, kind, group, url, color, reportedAt }: ServiceRow): Service {
  const service: Service = {
    id,
    name: name ?? id,
    kind: (kind ?? 'service') as ServiceKind,
    color: color ?? FIRST_COLOR,
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

export function tallyOf({ count, errors, latency }: MinuteRow): CallTally {
  return new CallTally(Latency.from(latency), count, errors)
}

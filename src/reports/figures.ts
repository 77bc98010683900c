import {
  type Availability,
  type AvailabilityWindow,
  observedSince,
  windowSince,
} from '../core/availability.ts'
import type { Estimate } from '../core/change/rate.ts'
import { changeRate, type PollSums, streamRank } from '../core/measures.ts'
import { BASELINE_NAMES, BASELINES } from '../core/saved.ts'
import { GZIP_STREAM_HEAD_BYTES, STREAM_HEAD_BYTES } from '../core/stream-head.ts'
import { utcMinute } from '../core/units.ts'
import type { StoredCpuTrial } from '../streams/measures/cpu-trials.ts'
import { type StreamSavings, upstreamSavings } from '../streams/measures/savings.ts'
import type { FormulaName } from './formulas.ts'

export const UNITS = ['bytes', 'share', 'per hour', 'rank'] as const
export type Unit = (typeof UNITS)[number]
export type Inputs = Record<string, number | boolean | string | null>

/** One figure, with what it takes to calculate it again. */
export interface Figure {
  /** Such as `size.meanBody`. */
  id: string
  label: string
  /** Null while unknown. */
  value: number | null
  unit: Unit
  formula: FormulaName
  inputs: Inputs
}

/** Clients that are assumed to share Weir's polls, besides the actual number. */
const ASSUMED_SUBSCRIBERS = 100

type Named = readonly [id: string, label: string, formula: FormulaName]

const figureIn =
  (unit: Unit) =>
  ([id, label, formula]: Named, value: number | null, inputs: Inputs): Figure => ({
    ...{ id, label, value, unit, formula, inputs },
  })
const bytes = figureIn('bytes')
const share = figureIn('share')
const perHour = figureIn('per hour')
const rank = figureIn('rank')

export function sizeFigures(sums: PollSums, isPolled: boolean): Figure[] {
  const { wireBytes, headBytes, failedHeadBytes, plainBytes, gzipBytes, patchBytes } = sums
  const { polls, events, changed, notModified } = sums
  const last = [
    bytes(
      ['size.meanPatch', 'A change as a JSON Patch, on average', 'meanPatch'],
      ratio(patchBytes, changed),
      {
        patchBytes,
        changed,
      },
    ),
    bytes(['size.received', 'Received in total', 'received'], wireBytes + headBytes, {
      wireBytes,
      headBytes,
    }),
  ]
  if (!isPolled) {
    const name = ['size.meanEvent', 'An event, on average', 'meanEvent'] as const
    return [bytes(name, ratio(wireBytes, events), { wireBytes, events }), ...last]
  }
  return [
    bytes(['size.meanBody', 'A response, on average', 'meanBody'], ratio(plainBytes, polls), {
      plainBytes,
      polls,
    }),
    bytes(['size.meanGzip', 'The same with gzip', 'meanGzip'], ratio(gzipBytes, polls), { gzipBytes, polls }),
    bytes(
      ['size.meanHead', 'Its status line and headers', 'meanHead'],
      ratio(headBytes - failedHeadBytes, polls),
      { headBytes, failedHeadBytes, polls },
    ),
    share(['size.notModified', 'Answered with 304 Not Modified', 'notModified'], ratio(notModified, polls), {
      notModified,
      polls,
    }),
    ...last,
  ]
}

export function changeFigures(sums: PollSums, estimate: Estimate | null, isPolled: boolean): Figure[] {
  const { changed, compared, patchBytes, plainBytes } = sums
  const ranked = streamRank(sums, estimate)
  const isNew = { changed, compared }
  const source = { kind: isPolled ? 'poll' : 'sse' }
  return [
    perHour(['change.perHour', 'Changes per hour', 'frequency'], estimate?.perHour ?? null, source),
    perHour(['change.low', 'At least, with 95% confidence', 'frequency'], estimate?.low ?? null, source),
    perHour(['change.high', 'At most, with 95% confidence', 'frequency'], estimate?.high ?? null, source),
    share(['change.rate', 'Responses that differed from the last', 'changeRate'], changeRate(sums), isNew),
    rank(['streamRank.rank', 'StreamRank', 'rank'], ranked.rank, { perMs: estimate?.perMs ?? null }),
    share(['streamRank.time', 'Time: requests that found nothing new', 'rankTime'], ranked.time, isNew),
    share(['streamRank.size', 'Size: bytes that were not new', 'rankSize'], ranked.size, {
      patchBytes,
      plainBytes,
    }),
    share(['streamRank.change', 'Change: how often it changed, on a scale', 'rankChange'], ranked.change, {
      rank: ranked.rank,
    }),
  ]
}

/** @param span of the period: the windows end with it */
export function availabilityFigures(
  all: readonly (readonly [name: AvailabilityWindow | 'period', of: Availability])[],
  span: { from: Date; to: Date },
): Figure[] {
  return all.map(([name, found]) => {
    const { answered, unanswered, upMs, downMs, unknownMs } = found
    const window = name === 'period' ? 'In this period' : `Last ${name.replace(/[hd]/, ' $&')}`
    const since = name === 'period' ? observedSince(found, span) : windowSince(found, name, span.to.getTime())
    const label = since === undefined ? window : `${window} (since ${utcMinute(since)} UTC)`
    return found.basis === 'checks'
      ? share([`availability.${name}`, label, 'checks'], found.share, { answered, unanswered })
      : share([`availability.${name}`, label, 'time'], found.share, { upMs, downMs, unknownMs })
  })
}

export function savingsFigures(savings: StreamSavings): Figure[] {
  const { sums, link, totals, network, polledBytes } = savings
  const { isEncrypted, requestBytes: uncountedRequestBytes } = link
  const heads = { streamHeadBytes: STREAM_HEAD_BYTES, gzipStreamHeadBytes: GZIP_STREAM_HEAD_BYTES }
  return BASELINE_NAMES.flatMap((baseline) => {
    const inputs = { baseline, ...sums, ...heads }
    const server = (side: string, subscribers: number) =>
      share(
        [`savings.${side}.${baseline}`, `The server, with ${clients(subscribers)}`, 'serverSaved'],
        upstreamSavings(savings, subscribers)[baseline],
        {
          ...{ subscribers, pollingBytes: totals.baselines[baseline] },
          ...{ wireBytes: sums.wireBytes, headBytes: polledBytes - sums.wireBytes },
        },
      )
    return [
      share(
        [`savings.client.${baseline}`, 'A client', 'clientSaved'],
        totals.clientBandwidthSavings[baseline],
        inputs,
      ),
      share(
        [`savings.network.${baseline}`, 'The network, estimated', 'networkSaved'],
        network.clientBandwidthSavings[baseline],
        { ...inputs, isEncrypted, uncountedRequestBytes },
      ),
      server('server', Math.max(1, savings.subscribers)),
      server('serverOf100', ASSUMED_SUBSCRIBERS),
    ]
  })
}

/** By the last measurement; the values are null if there is none. */
export function cpuFigures(trial: StoredCpuTrial | undefined): Figure[] {
  return BASELINE_NAMES.map((baseline) =>
    share(
      [`cpu.${baseline}`, `A server’s CPU, compared with ${BASELINES[baseline]}`, 'cpuSaved'],
      trial?.saved[baseline].share ?? null,
      {
        ...{ baseline, subscribers: trial?.subscribers ?? null },
        streamingCpuMs: trial?.streaming.cpuMs ?? null,
        pollingCpuMs: trial?.polling[baseline].cpuMs ?? null,
        measuredAt: trial?.at.toISOString() ?? null,
      },
    ),
  )
}

function clients(count: number): string {
  const rounded = Math.round(count * 10) / 10
  return rounded === 1 ? '1 client' : `${rounded} clients`
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole
}

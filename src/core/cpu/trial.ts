import { BASELINE_NAMES } from '../saved.ts'

/** A way of polling that streaming is compared with. */
type Baseline = (typeof BASELINE_NAMES)[number]

/** CPU of a server for a whole recording and all clients, in milliseconds. */
export interface CpuCost {
  /** The mean of the phases, with the least and the most. */
  cpuMs: number
  leastMs: number
  mostMs: number
}

/** The share of a server's CPU that streaming saves; negative for a loss. */
export interface CpuSaved {
  share: number
  /** Of any two phases that are compared. */
  least: number
  most: number
  /** Whether the difference is larger than the spread of the phases. */
  isClear: boolean
}

/** What `weir bench` measured for one stream. */
export interface CpuTrial {
  /** Clients that the costs are of. */
  subscribers: number
  /** Length of each phase. */
  seconds: number
  /** What was replayed; ISO 8601. */
  recorded: { from: string; to: string; polls: number; changes: number }
  /** Clients that were connected at a time; beyond them, the costs are multiplied. */
  clients: { polling: number; streaming: number }
  polling: Readonly<Record<Baseline, CpuCost>>
  streaming: CpuCost
}

export function cpuSaved(streaming: CpuCost, polling: CpuCost): CpuSaved {
  const share = 1 - streaming.cpuMs / polling.cpuMs
  const least = 1 - streaming.mostMs / polling.leastMs
  const most = 1 - streaming.leastMs / polling.mostMs
  return { share, least, most, isClear: Math.abs(share) > most - least }
}

/** What streaming saves over each way of polling. */
export function savedByTrial({ streaming, polling }: CpuTrial): Record<Baseline, CpuSaved> {
  const each = BASELINE_NAMES.map((name) => [name, cpuSaved(streaming, polling[name])])
  return Object.fromEntries(each) as Record<Baseline, CpuSaved>
}

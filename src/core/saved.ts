import type { Baselines, Shares } from './measures.ts'
import { savedPercent } from './units.ts'

/** The ways of polling that streaming is compared with, as people read them. */
export const BASELINES: Readonly<Record<keyof Baselines, string>> = {
  plain: 'uncompressed polling',
  gzip: 'polling with gzip',
  conditional: 'polling with gzip and validators',
}
export const BASELINE_NAMES = Object.keys(BASELINES) as (keyof Baselines)[]

/** The baseline of the one figure that every page, command and metric leads with: what a good client does. */
export const HEADLINE: keyof Baselines = 'conditional'

/** The median of the streams' shares, so that one large stream doesn't speak for all. */
export interface MedianShares extends Shares {
  /** Number of streams with answered polls. */
  streams: number
}

export function medianShares(all: readonly Shares[]): MedianShares {
  const of = (name: keyof Baselines) =>
    median(all.map((shares) => shares[name]).filter((share) => share !== null))
  return { streams: all.length, plain: of('plain'), gzip: of('gzip'), conditional: of('conditional') }
}

/** The headline in words. @param share of the baseline's bytes that streaming saves */
export function savedSentence(share: number): string {
  const than = BASELINES[HEADLINE]
  if (share < 0) return `Streaming would cost ${savedPercent(-share)} more than ${than}.`
  return `Streaming saves ${savedPercent(share)} compared with ${than}.`
}

/** What the headline becomes on the network. @param share of the bytes on the network that streaming saves */
export function networkSentence(share: number): string {
  const estimate =
    share < 0
      ? `it would cost an estimated ${savedPercent(-share)} more`
      : `it saves an estimated ${savedPercent(share)}`
  return `On the network, with requests and packet headers, ${estimate}.`
}

/** Null if there is none. */
export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]]
  return low === undefined || high === undefined ? null : (low + high) / 2
}

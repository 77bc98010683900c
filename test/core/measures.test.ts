import { describe, expect, test } from 'bun:test'
import { estimateRate } from '../../src/core/change/rate.ts'
import {
  baselines,
  type Connected,
  changeRate,
  freshness,
  type PollSums,
  STEPS_MS,
  savings,
  serverSavings,
  streaming,
  streamRank,
  suggestInterval,
} from '../../src/core/measures.ts'
import { integer, type Random, seeded } from './seeded.ts'

const random = seeded('measures.test.ts')

test.each<[changed: number, compared: number, rate: number | null]>([
  [0, 0, null],
  [0, 1, 0],
  [1, 1, 1],
  [1, 3, 1 / 3],
  [1, 100_000, 1 / 100_000],
])('%p changes in %p comparisons are a rate of %p', (changed, compared, rate) => {
  expect(changeRate({ changed, compared })).toBe(rate)
})

test.each<[what: string, everyMs: number, rank: number]>([
  ['a week', 7 * 86_400_000, 0],
  ['a day', 86_400_000, 0],
  ['an hour', 3_600_000, 28],
  ['a minute', 60_000, 64],
  ['a second', 1_000, 100],
  ['100 ms', 100, 100],
])('a change every %s is a rank, whatever the interval of polls', (_what, everyMs, rank) => {
  const sums = { changed: 3, compared: 4, patchBytes: 10, plainBytes: 40 }
  const { change, ...shown } = streamRank(sums, { perMs: 1 / everyMs })
  expect(shown).toEqual({ rank: expect.closeTo(rank, 0), samples: 4, time: 0.25, size: 0.75 })
  expect(change).toBeCloseTo(rank / 100, 2)
})

test('nothing compared has no rank', () => {
  const sums = { changed: 0, compared: 0, patchBytes: 0, plainBytes: 0 }
  expect(streamRank(sums, null)).toEqual({ rank: null, samples: 0, time: null, size: null, change: null })
})

test('a step is what its name says', () => {
  const { minute, hour, day }: Record<string, number> = STEPS_MS
  expect([minute, hour, day]).toEqual([60_000, 60 * 60_000, 24 * 60 * 60_000])
})

test.each<[patchBytes: number, plainBytes: number, share: number | null]>([
  [0, 0, null],
  [0, 100, 0],
  [1, 4, 0.25],
  [100, 100, 1],
  [101, 100, 1],
])('%p bytes of changes in %p bytes of bodies are %p new', (patchBytes, plainBytes, share) => {
  expect(freshness({ patchBytes, plainBytes })).toBe(share)
})

test('a baseline has the heads of answered polls, and their redirects', () => {
  const sums = { headBytes: 1_000, failedHeadBytes: 300, redirectBytes: 50 }
  const bodies = { plainBytes: 10_000, gzipBytes: 2_000, conditionalBytes: 500 }
  expect(baselines({ ...sums, ...bodies })).toEqual({ plain: 10_750, gzip: 2_750, conditional: 1_250 })
})

/** A day of polls every minute: 10,000 bytes a body, 2,000 with gzip, heads of 200, every tenth a change of 300. */
const DAY: PollSums & Connected = {
  entries: 1_440,
  events: 145,
  polls: 1_440,
  errors: 0,
  compared: 1_440,
  changed: 144,
  notModified: 1_296,
  wireBytes: 288_000,
  bodyBytes: 1_440_000,
  headBytes: 288_000,
  plainBytes: 14_400_000,
  gzipBytes: 2_880_000,
  conditionalBytes: 288_000,
  patchBytes: 43_200,
  frameBytes: 49_680,
  deflatedBytes: 28_800,
  failures: 0,
  answered: 1_440,
  unanswered: 0,
  comparedMs: 86_400_000,
  changedMs: 8_640_000,
  requests: 1_440,
  requestBytes: 360_000,
  failedHeadBytes: 0,
  redirectBytes: 0,
  cacheHits: 0,
  fresh: 0,
  freshChanged: 0,
  heldMs: 86_400_000,
  connectedMs: 86_400_000,
  connections: 1,
  snapshotBytes: 10_000,
  snapshotGzipBytes: 2_000,
}

describe('savings', () => {
  test('match a day worked out by hand', () => {
    // 5,760 heartbeats of 13; a connection of 194 (head), 13 (retry) and 10,041 (snapshot frame); chunks of 3, 1, 1
    // and 4 hex digits and 4 bytes for 144 changes, the heartbeats, the retry and the snapshot.
    expect(savings(DAY)).toEqual({
      baselines: { plain: 14_688_000, gzip: 3_168_000, conditional: 576_000 },
      streaming: {
        plain: {
          bytes: 164_629,
          frameBytes: 49_680,
          heartbeatBytes: 74_880,
          connectBytes: 10_248,
          chunkBytes: 144 * 7 + 5_760 * 5 + 5 + 8,
        },
        // Heartbeats and the retry are 19 compressed; the head is 235, gzip's own 10, the snapshot 2,000 and its frame.
        gzip: {
          bytes: 175_987,
          frameBytes: 28_800,
          heartbeatBytes: 109_440,
          connectBytes: 235 + 10 + 19 + 2_041,
          chunkBytes: 144 * 6 + 5_760 * 6 + 5 + 6 + 7,
        },
      },
      overheadBytes: 121_429,
      clientBandwidthSavings: {
        plain: 1 - 164_629 / 14_688_000,
        gzip: 1 - 175_987 / 3_168_000,
        conditional: 1 - 175_987 / 576_000,
      },
    })
  })

  test('every connection includes its head, retry and snapshot', () => {
    const once = streaming(DAY)
    const thrice = streaming({ ...DAY, connections: 3, snapshotBytes: 30_000, snapshotGzipBytes: 6_000 })
    expect(thrice.connectBytes).toBe(3 * once.connectBytes)
    expect(thrice.chunkBytes - once.chunkBytes).toBe(2 * (5 + 8))
    expect(streaming({ ...DAY, connections: 0, snapshotBytes: 0, snapshotGzipBytes: 0 }).connectBytes).toBe(0)
  })

  test('a stream without changes costs its heartbeats', () => {
    const still = streaming({
      ...DAY,
      changed: 0,
      frameBytes: 0,
      connections: 0,
      snapshotBytes: 0,
      snapshotGzipBytes: 0,
    })
    expect(still.bytes).toBe(5_760 * (13 + 5))
  })

  test('without polls there is nothing to save; polls without bytes have no share', () => {
    expect(savings({ ...DAY, polls: 0 })).toBeNull()
    const empty = { ...DAY, plainBytes: 0, gzipBytes: 0, conditionalBytes: 0, headBytes: 0 }
    expect(savings(empty)?.clientBandwidthSavings).toEqual({ plain: null, gzip: null, conditional: null })
  })

  test('never lose more than their overhead, if no change is larger than its body', () => {
    for (let round = 0; round < 2_000; round++) {
      const sums = randomSums(random)
      const saved = savings(sums)
      if (saved === null) throw new Error('There were polls')
      const { clientBandwidthSavings, overheadBytes, baselines } = saved
      const worst = -overheadBytes / baselines.plain
      expect(clientBandwidthSavings.plain).toBeGreaterThanOrEqual(worst - 1e-12)
      expect(clientBandwidthSavings.plain).toBeLessThanOrEqual(1)
      const { frameBytes, heartbeatBytes, connectBytes, chunkBytes, bytes } = saved.streaming.plain
      expect(bytes).toBe(frameBytes + heartbeatBytes + connectBytes + chunkBytes)
    }
  })

  test.each<[subscribers: number, plain: number]>([
    [1, 1 - 576_000 / 14_688_000],
    [2.5, 1 - 576_000 / 36_720_000],
    [1_000, 1 - 576_000 / 14_688_000_000],
  ])('one poll shared by %p subscribers saves an upstream %p', (subscribers, plain) => {
    expect(serverSavings(baselines(DAY), 576_000, subscribers).plain).toBeCloseTo(plain, 12)
  })

  test('polling with validators for one subscriber saves nothing over a client that does the same', () => {
    expect(serverSavings(baselines(DAY), 576_000, 1).conditional).toBe(0)
  })
})

describe('a suggested interval', () => {
  test.each<[changed: number, compared: number, intervalMs: number, suggestedMs: number | null]>([
    [0, 1_440, 60_000, null],
    [9, 9, 60_000, null],
    [4, 9, 60_000, null],
    // λ = −ln(1296.5 / 1440.5) a minute = 0.1053: ln 2 / λ = 6.58 min, of 5 and 10 nearer to 5.
    [144, 1_440, 60_000, 300_000],
    // The same half a minute apart: 3.29 min, by ratio nearer to 5 than to 2.
    [144, 1_440, 30_000, 300_000],
    // Half of the polls find a change: the interval is right.
    [720, 1_440, 60_000, 60_000],
    // λ = −ln(9.5 / 10.5) a second = 0.1001: ln 2 / λ = 6.93 s, of 5 and 10 nearer to 5.
    [1, 10, 1_000, 5_000],
    // Every poll, or nearly: how often it changes isn't known.
    [10, 10, 10_000, null],
    [960, 1_000, 500, null],
    [1, 100_000, 86_400_000, 604_800_000],
  ])('%p changes in %p comparisons %p ms apart suggest %p', (changed, compared, intervalMs, suggestedMs) => {
    expect(suggestInterval(estimate(changed, compared, intervalMs), compared)).toBe(suggestedMs)
  })

  test('is recovered from polls of a random process', () => {
    const meanMs = 20_000
    const intervalMs = 5_000
    let changed = 0
    const compared = 20_000
    for (let poll = 0; poll < compared; poll++) if (random() < 1 - Math.exp(-intervalMs / meanMs)) changed++
    // ln 2 × 20 s = 13.9 s, of 10 and 15 nearer to 15.
    expect(suggestInterval(estimate(changed, compared, intervalMs), compared)).toBe(15_000)
  })
})

function estimate(changed: number, compared: number, intervalMs: number) {
  return estimateRate([
    { compared, changed, comparedMs: compared * intervalMs, changedMs: changed * intervalMs },
  ])
}

/** Polls whose changes are at most their bodies, framed, and a subscriber who was connected meanwhile. */
function randomSums(random: Random): PollSums & Connected {
  const polls = 1 + integer(random, 50)
  const sums = { ...DAY, polls, changed: 0, plainBytes: 0, patchBytes: 0, frameBytes: 0 }
  const isAllNew = random() < 0.3
  for (let poll = 0; poll < polls; poll++) {
    const bodyBytes = 1 + integer(random, 5_000)
    sums.plainBytes += bodyBytes
    if (!isAllNew && random() < 0.5) continue
    const changeBytes = isAllNew ? bodyBytes : 1 + integer(random, bodyBytes)
    sums.changed++
    sums.patchBytes += changeBytes
    sums.frameBytes += changeBytes + 40
  }
  const connections = 1 + 3 * random()
  const headBytes = polls * integer(random, 500)
  const snapshotBytes = (connections * sums.plainBytes) / polls
  return { ...sums, headBytes, connections, snapshotBytes, connectedMs: polls * 60_000 }
}

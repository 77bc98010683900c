/** A report as a third party reads it. */
export interface PublishedReport {
  figures: { id: string; value: number | null; formula: string; inputs: Record<string, unknown> }[]
  comparisons: Comparison[]
}

interface Comparison {
  at: string
  compared: number
  changed: number
  comparedMs: number
  changedMs: number
}

/** Inputs of all formulas; each has some of them. */
type Numbers = Record<
  | 'answered'
  | 'changed'
  | 'compared'
  | 'conditionalBytes'
  | 'connectedMs'
  | 'connections'
  | 'deflatedBytes'
  | 'downMs'
  | 'events'
  | 'failedHeadBytes'
  | 'failures'
  | 'frameBytes'
  | 'gzipBytes'
  | 'gzipStreamHeadBytes'
  | 'headBytes'
  | 'notModified'
  | 'patchBytes'
  | 'plainBytes'
  | 'pollingBytes'
  | 'polls'
  | 'rank'
  | 'redirectBytes'
  | 'requestBytes'
  | 'requests'
  | 'snapshotBytes'
  | 'snapshotGzipBytes'
  | 'streamHeadBytes'
  | 'subscribers'
  | 'unanswered'
  | 'uncountedRequestBytes'
  | 'upMs'
  | 'wireBytes',
  number
> & {
  streamingCpuMs: number
  pollingCpuMs: number | null
  baseline: 'plain' | 'gzip' | 'conditional'
  isEncrypted: boolean
}

/** Calculates every figure from the report's inputs alone, with the formulas of docs/measures.md and nothing of Weir's. */
export function recalculate(report: PublishedReport): Map<string, number | null> {
  const found = frequency(report.comparisons)
  const own = new Map<string, number | null>()
  for (const { id, formula, inputs } of report.figures) {
    const given = inputs as unknown as Numbers
    if (id === 'streamRank.rank') {
      // What the rank is of is itself calculated from the comparisons.
      own.set(id, found === null ? null : rank(found.perMs))
    } else if (formula === 'frequency') {
      own.set(id, found === null ? null : found[id.slice('change.'.length) as 'perHour' | 'low' | 'high'])
    } else if (formula === 'rankChange') {
      own.set(id, given.rank == null ? null : given.rank / 100)
    } else {
      own.set(id, SIMPLE[formula]?.(given) ?? null)
    }
  }
  return own
}

const per = (part: number, whole: number) => (whole === 0 ? null : part / whole)
const rest = (part: number, whole: number) => (whole === 0 ? null : 1 - part / whole)

const SIMPLE: Record<string, (given: Numbers) => number | null> = {
  meanBody: (g) => per(g.plainBytes, g.polls),
  meanGzip: (g) => per(g.gzipBytes, g.polls),
  meanHead: (g) => per(g.headBytes - g.failedHeadBytes, g.polls),
  meanEvent: (g) => per(g.wireBytes, g.events),
  meanPatch: (g) => per(g.patchBytes, g.changed),
  received: (g) => g.wireBytes + g.headBytes,
  notModified: (g) => per(g.notModified, g.polls),
  changeRate: (g) => per(g.changed, g.compared),
  rankTime: (g) => rest(g.changed, g.compared),
  rankSize: (g) => rest(Math.min(g.patchBytes, g.plainBytes), g.plainBytes),
  checks: (g) => per(g.answered, g.answered + g.unanswered),
  time: (g) => per(g.upMs, g.upMs + g.downMs),
  clientSaved: (g) => 1 - streamed(g).bytes / polled(g),
  serverSaved: (g) => 1 - (g.wireBytes + g.headBytes) / (g.subscribers * g.pollingBytes),
  cpuSaved: (g) => (g.pollingCpuMs === null ? null : 1 - g.streamingCpuMs / g.pollingCpuMs),
  networkSaved: (g) => 1 - streamedOnNetwork(g) / polledOnNetwork(g),
}

/** Bodies, and the heads of answered polls and of their redirects. */
function polled(g: Numbers): number {
  const bodies = { plain: g.plainBytes, gzip: g.gzipBytes, conditional: g.conditionalBytes }
  return bodies[g.baseline] + g.headBytes - g.failedHeadBytes + g.redirectBytes
}

const isPlain = (g: Numbers) => g.baseline === 'plain'

/** One subscriber: frames, heartbeats every 15 s, connections, and HTTP chunks. */
function streamed(g: Numbers) {
  const plain = isPlain(g)
  const frames = plain ? g.frameBytes : g.deflatedBytes
  const beats = g.connectedMs / 15_000
  const beatBytes = plain ? 13 : 19
  const opening = plain ? [13] : [10, 19]
  const head = plain ? g.streamHeadBytes : g.gzipStreamHeadBytes
  const snapshots = (plain ? g.snapshotBytes : g.snapshotGzipBytes) + g.connections * 41
  const chunks = (count: number, bytes: number) =>
    count === 0 ? 0 : count * (Math.round(bytes / count).toString(16).length + 4)
  const openings = opening.map((bytes) => chunks(g.connections, g.connections * bytes))
  const heartbeatBytes = Math.round(beats * beatBytes)
  const connectBytes = Math.round(g.connections * (head + sum(opening)) + snapshots)
  const chunkBytes = Math.round(
    chunks(g.changed, frames) +
      chunks(beats, beats * beatBytes) +
      sum(openings) +
      chunks(g.connections, snapshots),
  )
  return { bytes: frames + heartbeatBytes + connectBytes + chunkBytes, frames, beats, heartbeatBytes }
}

/** Messages as [count, bytes each, whether their answer acknowledges them]. */
type Messages = [number, number, boolean][]

function onNetwork(
  g: Numbers,
  payload: number,
  requestBytes: number,
  connections: number,
  messages: Messages,
) {
  const segments = (bytes: number) => Math.max(1, Math.ceil(bytes / 1_448))
  const packets =
    connections * (g.isEncrypted ? 16 : 7) +
    sum(
      messages.map(
        ([count, bytes, isAnswered]) =>
          count * (segments(bytes) + (isAnswered ? 0 : Math.ceil(segments(bytes) / 2))),
      ),
    )
  const records = sum(messages.map(([count, bytes]) => count * Math.max(1, Math.ceil(bytes / 16_384))))
  const tls = g.isEncrypted ? Math.round(records * 22 + connections * 5_000) : 0
  return Math.round(payload) + Math.round(requestBytes) + Math.round(packets * 52 + connections * 16) + tls
}

const requestSize = (g: Numbers) => (g.requests === 0 ? g.uncountedRequestBytes : g.requestBytes / g.requests)

function polledOnNetwork(g: Numbers): number {
  const isConditional = g.baseline === 'conditional'
  const full = isConditional ? g.polls - (g.compared - g.changed) : g.polls
  const requests =
    g.requests === 0 ? g.polls : Math.max(g.polls, (g.requests * g.polls) / (g.polls + g.failures))
  const head = g.headBytes / g.polls
  const body = full === 0 ? 0 : Math.max(0, polled(g) - g.headBytes) / full
  return onNetwork(
    g,
    polled(g),
    requests * requestSize(g),
    g.connectedMs / g.polls <= 60_000 ? 1 : requests,
    [
      [requests, requestSize(g), true],
      [full, head + body, false],
      [g.polls - full, head, false],
      [requests - g.polls, 1, false],
    ],
  )
}

function streamedOnNetwork(g: Numbers): number {
  const { bytes, frames, beats, heartbeatBytes } = streamed(g)
  const request = requestSize(g) + '/proxy/https://'.length
  const snapshots = isPlain(g) ? g.snapshotBytes : g.snapshotGzipBytes
  const n = g.connections
  return onNetwork(g, bytes, n * request, n, [
    [n, request, true],
    [n, 1, false],
    [n, n === 0 ? 0 : snapshots / n, false],
    [g.changed, g.changed === 0 ? 0 : frames / g.changed, false],
    [beats, beats === 0 ? 0 : heartbeatBytes / beats, false],
  ])
}

function rank(perMs: number): number {
  const share = Math.log(perMs * 86_400_000) / Math.log(86_400)
  return Math.round(Math.min(1, Math.max(0, share)) * 1_000) / 10
}

/** A row of comparisons: x changes, the mean interval t after which there was one, U: the rest of the time. */
interface Row {
  x: number
  n: number
  t: number
  U: number
  ms: number
}

interface Found {
  perMs: number
  perHour: number | null
  low: number
  high: number | null
}

function frequency(comparisons: readonly Comparison[]): Found | null {
  const rows = comparisons
    .filter(({ comparedMs }) => comparedMs > 0)
    .map(({ compared: n, changed: x, comparedMs: ms, changedMs }) => {
      return { x, n, t: x > 0 ? changedMs / x : ms / Math.max(1, n), U: ms - changedMs, ms }
    })
  const [ms, x, U] = [sum(rows.map((r) => r.ms)), sum(rows.map((r) => r.x)), sum(rows.map((r) => r.U))]
  if (ms === 0) return null
  const hour = 3_600_000
  if (x === 0) return { perMs: 0, perHour: 0, low: 0, high: (-Math.log(0.05) / ms) * hour }
  const t = median(rows)
  const pooled = rateOf(rows, t / 2)
  if (U < 0.05 * ms) {
    const low = Math.min(x / ms, edge(rows, pooled, 1.96 ** 2 / 2, 0.5))
    const perMs = Math.max(low, Math.min(pooled, -Math.log(0.05) / t))
    return { perMs, perHour: null, low: low * hour, high: null }
  }
  const parts = partsOf(rows, pooled)
  const all = sum(parts.map((part) => part.ms))
  const perMs = parts.length > 1 ? sum(parts.map((part) => part.rate * part.ms)) / all : pooled
  const { phi, q } = dispersion(rows, parts, pooled, perMs, t)
  const best = rateOf(rows, 0)
  const [low, high] = [0.5, 2].map((way) => (edge(rows, best, (q * q * phi) / 2, way) / best) * perMs * hour)
  return { perMs, perHour: perMs * hour, low: low as number, high: high as number }
}

/** Half of the comparisons have a shorter interval. */
function median(rows: readonly Row[]): number {
  const sorted = rows.filter(({ n }) => n > 0).sort((a, b) => a.t - b.t)
  const half = sum(sorted.map(({ n }) => n)) / 2
  let passed = 0
  for (const { n, t } of sorted) {
    passed += n
    if (passed >= half) return t
  }
  return 0
}

/** Left side minus right side of the equation for λ, for one row. */
function score({ x, t, U }: Row, rate: number): number {
  if (x === 0) return -U
  return x * (t === 0 ? 1 / rate : t / Math.expm1(rate * t)) - U
}

const scores = (rows: readonly Row[], rate: number) => sum(rows.map((row) => score(row, rate)))

function rateOf(rows: readonly Row[], excess: number): number {
  let [low, high] = [1e-15, 1]
  while (scores(rows, high) > excess) high *= 10
  return bisect(low, high, (rate) => scores(rows, rate) > excess)
}

function bisect(from: number, to: number, isBelow: (rate: number) => boolean): number {
  let [low, high] = [from, to]
  for (let step = 0; step < 200; step++) {
    const middle = Math.sqrt(low * high)
    if (isBelow(middle)) low = middle
    else high = middle
  }
  return low
}

function edge(rows: readonly Row[], best: number, drop: number, way: number): number {
  const log = (rate: number) =>
    sum(
      rows.map(
        ({ x, t, U }) => (x > 0 ? x * Math.log(t === 0 ? rate : -Math.expm1(-rate * t)) : 0) - rate * U,
      ),
    )
  const least = log(best) - drop
  const isInside = (rate: number) => log(rate) >= least
  let far = best
  while (isInside(far)) far *= way
  return way > 1 ? bisect(best, far, isInside) : bisect(far, best, (rate) => !isInside(rate))
}

/** Consecutive rows in blocks of about equal weight. */
function blocks(rows: readonly Row[], count: number, weight: (row: Row) => number): Row[][] {
  const whole = sum(rows.map(weight))
  const byIndex = new Map<number, Row[]>()
  let passed = 0
  for (const row of rows) {
    const index = Math.min(count - 1, Math.floor(((passed + weight(row) / 2) / whole) * count))
    byIndex.set(index, [...(byIndex.get(index) ?? []), row])
    passed += weight(row)
  }
  return [...byIndex.values()]
}

interface PartOfTime {
  rows: Row[]
  ms: number
  rate: number
}

/** Up to 24 parts with at least 12 polls each, without intervals that surely have a change in them. */
function partsOf(rows: readonly Row[], pooled: number): PartOfTime[] {
  const telling = rows.filter(({ t }) => Math.exp(-pooled * t) > 0.05)
  const count = Math.max(1, Math.min(24, Math.floor(sum(telling.map(({ n }) => n)) / 12)))
  const isPolled = telling.some(({ x, t }) => x > 0 && t > 0)
  return blocks(telling, count, ({ n, ms }) => (isPolled ? n : ms)).map((block) => {
    const isStill = block.every(({ x }) => x === 0)
    const rate = isStill ? 0 : rateOf(block, median(block) / 2)
    return { rows: block, ms: sum(block.map(({ ms }) => ms)), rate }
  })
}

const information = (rows: readonly Row[], rate: number) =>
  sum(rows.map(({ x, t }) => x * (t === 0 ? rate ** -2 : t ** 2 / (4 * Math.sinh((rate * t) / 2) ** 2))))

/** φ and the quantile. */
function dispersion(rows: Row[], parts: PartOfTime[], pooled: number, perMs: number, t: number) {
  const known = parts.filter(({ rate }) => rate > 0)
  const all = sum(parts.map(({ ms }) => ms))
  const variance = sum(known.map(({ rows, rate, ms }) => (ms / all) ** 2 / information(rows, rate)))
  const spread = parts.length > 1 ? variance * information(rows, pooled) * (pooled / perMs) ** 2 : 1
  const changed = sum(rows.map(({ x }) => x))
  const isEnough = changed >= 20 && sum(rows.map(({ U }) => U)) >= 10 * t && rows.length >= 24
  if (!isEnough) return { phi: spread, q: 1.96 }
  const found = (rate: number) => (t === 0 ? rate : -Math.expm1(-rate * t) / t)
  const expected = sum(
    known.map(({ rows, rate }) => information(rows, rate) * (found(rate) / found(pooled)) ** 2),
  )
  const count = Math.max(48, Math.min(96, rows.length, changed))
  const sums = blocks(rows, count, ({ ms }) => ms).map((block) => scores(block, pooled))
  const { left, fitted } = withoutWaves(sums, sums.length < 64 ? 1 : 2)
  const covariance = sum(left.slice(1).map((value, index) => value * (left[index] ?? 0)))
  const longRun = (sum(left.map((value) => value ** 2)) + 2 * covariance) / (1 - (3 * fitted) / sums.length)
  const observed = longRun / expected
  const freedom = (sums.length - fitted) / (observed >= 0.5 && observed <= 1.6 ? 3 : 8)
  const phi = Math.max(observed, 1 / found(pooled) ** 2 / 6 / expected) * spread
  return { phi, q: 1.96 * (1 + (1.96 ** 2 + 1) / (4 * freedom)) }
}

/** Without the mean, and waves that fit into the window once or twice. */
function withoutWaves(values: readonly number[], waves: number) {
  const basis = [values.map(() => 1)]
  for (let wave = 1; wave <= waves; wave++) {
    for (const turn of [Math.cos, Math.sin]) {
      basis.push(values.map((_, index) => turn((wave * 2 * Math.PI * (index + 0.5)) / values.length)))
    }
  }
  const dot = (a: readonly number[], b: readonly number[]) =>
    sum(a.map((value, index) => value * (b[index] ?? 0)))
  const weights = basis.map((vector) => dot(values, vector) / dot(vector, vector))
  const left = values.map(
    (value, index) => value - sum(basis.map((vector, at) => (weights[at] ?? 0) * (vector[index] ?? 0))),
  )
  return { left, fitted: basis.length }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

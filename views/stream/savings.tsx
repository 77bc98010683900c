import type { Baselines, Shares } from '../../src/core/measures.ts'
import type { FanoutSums, PathChanges } from '../../src/streams/measures/measures.ts'
import { Bar } from '../layout/bar.tsx'
import { bytes, percent } from '../layout/format.tsx'

/** The last 24 hours of a polled stream: the bytes that polling transferred and streaming would have transferred. */
export interface SavingsView {
  /** Bytes for each way to follow the stream; `null` if no poll succeeded. */
  moved: Readonly<Record<Way, number>> | null
  /** Share that streaming saves over each way of polling, with gzip if that uses it: at most 1, negative for a loss. */
  saved: Shares | undefined
  /** Share of the polled bytes that is new, 0 to 1. */
  freshness: number | null
  /** What real subscribers were sent; omitted if there were none. */
  sent: (Pick<FanoutSums, 'connections' | 'wireBytes' | 'slow'> & { subscribers: number }) | undefined
  /** Paths that change most, most changes first. */
  paths: readonly PathChanges[]
}

type Way = keyof Baselines | 'streaming' | 'streamingGzip'

const WAYS: readonly { way: Way; label: string }[] = [
  { way: 'plain', label: 'Polling, uncompressed' },
  { way: 'gzip', label: 'Polling with gzip' },
  { way: 'conditional', label: 'Polling with validators' },
  { way: 'streaming', label: 'Streaming, uncompressed' },
  { way: 'streamingGzip', label: 'Streaming with gzip' },
]
/** Savings of streaming, and changes by path: on the first page and in every live update. */
export function SavingsPanel(view: SavingsView) {
  return (
    <section id="savings" class="panel measures" aria-label="Savings">
      <div>
        <h2>Savings</h2>
        <Ways moved={view.moved} saved={view.saved} />
        {view.sent && <Sent {...view.sent} />}
      </div>
      <div>
        <h2>Changes by path</h2>
        <dl class="facts">
          <div>
            <dt>Freshness</dt>
            <dd>{percent(view.freshness)}</dd>
          </div>
        </dl>
        <Paths paths={view.paths} />
      </div>
    </section>
  )
}

function Ways({ moved, saved }: Pick<SavingsView, 'moved' | 'saved'>) {
  if (moved === null) return <p class="muted">No successful polls in the last 24 hours.</p>
  const most = Math.max(...Object.values(moved), 1)
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">One client, 24 h</th>
          <th scope="col" class="number">
            Bytes
          </th>
          <th scope="col" class="number">
            Saved
          </th>
        </tr>
      </thead>
      <tbody>
        {WAYS.map(({ way, label }) => (
          <tr>
            <th scope="row">
              {label}
              <Bar share={moved[way] / most} color={isPolling(way) ? 'var(--soft)' : 'var(--neon)'} />
            </th>
            <td class="number">{bytes(moved[way])}</td>
            <td class="number">{isPolling(way) ? saving(saved?.[way] ?? null) : ''}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function isPolling(way: Way): way is keyof Baselines {
  return way !== 'streaming' && way !== 'streamingGzip'
}

function Sent({ subscribers, connections, wireBytes, slow }: NonNullable<SavingsView['sent']>) {
  return (
    <p>
      Sent {bytes(wireBytes)} to {connections.toLocaleString('en')}{' '}
      {connections === 1 ? 'subscription' : 'subscriptions'};{' '}
      {subscribers < 0.1 ? 'fewer than 0.1' : subscribers.toFixed(1)} subscribers on average
      {slow > 0 && `; ${slow.toLocaleString('en')} closed for being too slow`}.
    </p>
  )
}

/** Paths that aren't pointers to a member. */
const NAMED_PATHS: Readonly<Record<string, string>> = { '': 'Whole document', '*': 'Other paths' }

function Paths({ paths }: Pick<SavingsView, 'paths'>) {
  if (paths.length === 0) return undefined
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Path</th>
          <th scope="col" class="number">
            Changes
          </th>
        </tr>
      </thead>
      <tbody>
        {paths.map(({ path, changes, share }) => (
          <tr>
            <th scope="row">
              {NAMED_PATHS[path] ?? <code>{path}</code>}
              <Bar share={share} color="var(--pink)" />
            </th>
            <td class="number">
              {changes.toLocaleString('en')} <span class="muted">{percent(share)}</span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** A saving as a percentage, never rounded up to 100%. */
function saving(share: number | null): string {
  if (share === null || share < 0.99) return percent(share)
  return `${(Math.floor(share * 1_000) / 10).toFixed(1)}%`
}

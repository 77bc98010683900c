import { BASELINE_NAMES, BASELINES } from '../../src/core/saved.ts'
import type { FanoutSums, PathChanges } from '../../src/streams/measures/measures.ts'
import type { ScopeSavings } from '../../src/streams/measures/savings.ts'
import { Bar } from '../layout/bar.tsx'
import { bytes, percent, savedPercent } from '../layout/format.tsx'

/** The last 24 hours of a polled stream: what polling transferred and streaming would have transferred. */
export interface SavingsView {
  /** `undefined` if no poll succeeded. */
  saved: Pick<ScopeSavings, 'summary' | 'totals' | 'network'> | undefined
  /** Share of the polled bytes that is new, 0 to 1. */
  freshness: number | null
  /** What real subscribers were sent; omitted if there were none. */
  sent: (Pick<FanoutSums, 'connections' | 'wireBytes' | 'slow'> & { subscribers: number }) | undefined
  /** Paths that change most, most changes first. */
  paths: readonly PathChanges[]
}

/** The codings of streaming, as people read them. */
const STREAMED = { plain: 'streaming, uncompressed', gzip: 'streaming with gzip' } as const
/** Savings of streaming, and changes by path: on the first page and in every live update. */
export function SavingsPanel(view: SavingsView) {
  return (
    <section id="savings" class="panel measures" aria-label="Savings">
      <div>
        <h2>Savings</h2>
        <Ways saved={view.saved} />
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

function Ways({ saved }: Pick<SavingsView, 'saved'>) {
  if (saved === undefined) return <p class="muted">No successful polls in the last 24 hours.</p>
  const { summary, totals, network } = saved
  const most = Math.max(...Object.values(totals.baselines), totals.streaming.plain.bytes, 1)
  return (
    <>
      <p>{summary}</p>
      <div class="table-scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">One client, 24 h</th>
              <th scope="col" class="number">
                Bytes
              </th>
              <th scope="col" class="number">
                Network
              </th>
            </tr>
          </thead>
          <tbody>
            {BASELINE_NAMES.map((name) => (
              <WayRow
                label={BASELINES[name]}
                payloadBytes={totals.baselines[name]}
                saved={totals.clientBandwidthSavings[name]}
                networkBytes={network.polling[name].bytes}
                networkSaved={network.clientBandwidthSavings[name]}
                most={most}
                color="var(--soft)"
              />
            ))}
            {(['plain', 'gzip'] as const).map((coding) => (
              <WayRow
                label={STREAMED[coding]}
                payloadBytes={totals.streaming[coding].bytes}
                networkBytes={network.streaming[coding].bytes}
                most={most}
                color="var(--neon)"
              />
            ))}
          </tbody>
        </table>
      </div>
      <p class="muted">
        Saved: what streaming saves compared with the polling of that row. Bytes are bodies and heads. On the
        network, requests, TCP/IP headers and TLS are estimated. Shares with gzip compare both sides with
        gzip.
      </p>
    </>
  )
}

interface WayRowProps {
  label: string
  payloadBytes: number
  /** What streaming saves over it; omitted for streaming. */
  saved?: number | null
  networkBytes: number
  networkSaved?: number | null
  most: number
  color: string
}

function WayRow({ label, payloadBytes, saved, networkBytes, networkSaved, most, color }: WayRowProps) {
  return (
    <tr>
      <th scope="row">
        {label.charAt(0).toUpperCase() + label.slice(1)}
        <Bar share={payloadBytes / most} color={color} />
      </th>
      <Moved count={payloadBytes} saved={saved} />
      <Moved count={networkBytes} saved={networkSaved} />
    </tr>
  )
}

function Moved({ count, saved }: { count: number; saved?: number | null | undefined }) {
  return (
    <td class="number">
      {bytes(count)}
      {saved !== undefined && <span class="muted saved">{savedPercent(saved)} saved</span>}
    </td>
  )
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

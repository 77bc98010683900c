import type { Child } from 'hono/jsx'
import { availabilityText } from '../../src/core/availability.ts'
import { BASELINES, HEADLINE } from '../../src/core/saved.ts'
import { IN_TROUBLE, STATUS, STATUSES } from '../../src/core/sets/statuses.ts'
import type { Overview } from '../../src/streams/status/overview.ts'
import type { IncidentView } from '../incidents/incidents.tsx'
import { Ago, bytes, rate, Sparkline, StatusBadge, savedPercent } from '../layout/format.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'
import { Live } from '../layout/live.tsx'
import { PreviewForm } from '../preview/preview.tsx'

/** The overview, with what is shown of its incidents. */
export interface HomeData extends Omit<Overview, 'incidents'> {
  incidents: {
    open: number
    newest: readonly Pick<IncidentView, 'id' | 'title' | 'severity' | 'since'>[]
  }
}

/** Shows at a glance whether everything is healthy. */
export function HomePage({ reader, ...data }: HomeData & ForReader) {
  return (
    <Page reader={reader} title="Overview" section="/">
      <link rel="stylesheet" href="/assets/views/home/home.css" />
      {data.streams === 0 ? (
        <FirstStream />
      ) : (
        <>
          <Live href="/home/live" />
          <OverviewPanel {...data} />
        </>
      )}
    </Page>
  )
}

/** Everything on the page that changes: on the first page and in every live update. */
export function OverviewPanel({
  streams,
  statuses,
  incidents,
  minutes,
  saved,
  available,
  troubled,
  changed,
}: HomeData) {
  return (
    <div class="stack home" id="overview">
      <Headline troubled={troubled.count} incidents={incidents.open} />
      <StatusBar streams={streams} statuses={statuses} />
      <Tiles incidents={incidents} minutes={minutes} saved={saved} available={available} />
      <div class="columns">
        <section class="panel" aria-labelledby="attention">
          <h2 id="attention">Needs attention</h2>
          <Attention {...troubled} />
        </section>
        <section class="panel" aria-labelledby="incidents">
          <h2 id="incidents">Incidents</h2>
          <NewestIncidents newest={incidents.newest} />
        </section>
        <section class="panel" aria-labelledby="changed">
          <h2 id="changed">Changed in the last hour</h2>
          <ChangedStreams changed={changed} />
        </section>
      </div>
    </div>
  )
}

function Tiles({
  incidents,
  minutes,
  saved,
  available,
}: Pick<HomeData, 'incidents' | 'minutes' | 'saved' | 'available'>) {
  const last = minutes.at(-1) ?? { messages: 0, errors: 0, wireBytes: 0 }
  return (
    <div class="tiles">
      <Tile name="Open incidents" value={String(incidents.open)} href="/incidents" isBad={incidents.open > 0}>
        {incidents.newest[0] && (
          <>
            latest <Ago at={incidents.newest[0].since} />
          </>
        )}
      </Tile>
      <Tile name="Availability" value={availabilityText(available.share)} href="/streams?sort=availability">
        {available.share === null
          ? 'nothing known in the last 24 h'
          : `mean of ${available.streams} ${available.streams === 1 ? 'stream' : 'streams'} in 24 h`}
      </Tile>
      <Tile name="Events and polls per minute" value={rate(last.messages)}>
        <Sparkline
          values={minutes.map(({ messages }) => messages)}
          label={`Events and polls per minute over the last hour, ${last.messages} in the last minute`}
        />
      </Tile>
      <Tile name="Received per minute" value={bytes(last.wireBytes)}>
        <Sparkline
          values={minutes.map(({ wireBytes }) => wireBytes)}
          label={`Bytes per minute over the last hour, ${bytes(last.wireBytes)} in the last minute`}
        />
      </Tile>
      <Tile name="Saved by streaming" value={savedPercent(saved?.saving ?? null)}>
        {saved === undefined ? 'no polls in the last 24 h' : <Saved saved={saved} />}
      </Tile>
    </div>
  )
}

function Saved({ saved }: { saved: NonNullable<HomeData['saved']> }) {
  const { totals, median, networkSaving } = saved
  return (
    <>
      Compared with {BASELINES[HEADLINE]}: {bytes(totals.streaming.gzip.bytes)} instead of{' '}
      {bytes(totals.baselines[HEADLINE])} in 24 h; on the network, {savedPercent(networkSaving)}.{' '}
      {median.streams > 1 &&
        `Median of ${median.streams.toLocaleString('en')} streams: ${savedPercent(median[HEADLINE])}`}
    </>
  )
}

function NewestIncidents({ newest }: Pick<HomeData['incidents'], 'newest'>) {
  if (newest.length === 0) return <p class="muted">No open incidents.</p>
  return (
    <ul class="lines">
      {newest.map(({ id, title, severity, since }) => (
        <li>
          <a href={`/incidents/${id}`}>{title}</a>
          <span class="muted">
            {severity}, <Ago at={since} />
          </span>
        </li>
      ))}
    </ul>
  )
}

function ChangedStreams({ changed }: Pick<HomeData, 'changed'>) {
  if (changed.length === 0) return <p class="muted">No changes.</p>
  return (
    <ul class="lines">
      {changed.map(({ id, name, changes, lastAt }) => (
        <li>
          <a href={`/streams/${id}`}>{name}</a>
          <span class="muted">
            {changes.toLocaleString('en')} {changes === 1 ? 'change' : 'changes'}, <Ago at={lastAt} />
          </span>
        </li>
      ))}
    </ul>
  )
}

function Headline({ troubled, incidents }: { troubled: number; incidents: number }) {
  const isGood = troubled === 0 && incidents === 0
  const problems = [
    troubled > 0 && `${troubled} ${troubled === 1 ? 'stream needs' : 'streams need'} attention`,
    incidents > 0 && `${incidents} ${incidents === 1 ? 'incident' : 'incidents'} open`,
  ].filter(Boolean)
  return (
    <h1 class={isGood ? 'headline good' : 'headline bad'}>
      <span aria-hidden="true">{isGood ? '✓' : '!'}</span>{' '}
      {isGood ? 'Everything is healthy' : problems.join(', ')}
    </h1>
  )
}

/** All streams as one bar, with a part for each status. Every status has a count in a place of its own, even of none. */
function StatusBar({ streams, statuses }: Pick<HomeData, 'streams' | 'statuses'>) {
  return (
    <section class="panel" aria-label="Streams by status">
      <svg class="status-bar" width="100%" height="14" aria-hidden="true">
        {STATUSES.map((status, index) => {
          const before = STATUSES.slice(0, index).reduce((sum, each) => sum + statuses[each], 0)
          const [x, width] = [before, statuses[status]].map(
            (part) => `${((part / streams) * 100).toFixed(2)}%`,
          )
          return <rect x={x} width={width} height="14" fill={`var(--${status})`} />
        })}
      </svg>
      <p class="status-counts">
        <a href="/streams">
          {streams.toLocaleString('en')} {streams === 1 ? 'stream' : 'streams'}
        </a>
        {STATUSES.map((status) => (
          <a href={`/streams?status=${status}`} class={statuses[status] === 0 ? 'none' : undefined}>
            <StatusBadge status={status} /> {statuses[status].toLocaleString('en')}
          </a>
        ))}
      </p>
    </section>
  )
}

interface TileProps {
  name: string
  value: string
  href?: string
  isBad?: boolean
  children?: Child
}

function Tile({ name, value, href, isBad, children }: TileProps) {
  return (
    <section class={isBad ? 'panel tile bad' : 'panel tile'}>
      <h2>{href === undefined ? name : <a href={href}>{name}</a>}</h2>
      <p class="value">{value}</p>
      <div class="muted more">{children}</div>
    </section>
  )
}

const OR_LIST = new Intl.ListFormat('en', { type: 'disjunction', style: 'long' })

function Attention({ count, first }: HomeData['troubled']) {
  if (count === 0)
    return (
      <p class="muted">No streams are {OR_LIST.format(IN_TROUBLE.map((status) => STATUS[status].label))}.</p>
    )
  return (
    <>
      <ul class="lines">
        {first.map(({ id, name, status, reason, since }) => (
          <li>
            <span>
              <StatusBadge status={status} /> <a href={`/streams/${id}`}>{name}</a>
            </span>
            <span class="muted">
              {reason} Started <Ago at={since} />
            </span>
          </li>
        ))}
      </ul>
      {count > first.length && <p class="muted">And {count - first.length} more.</p>}
    </>
  )
}

/** Shown until the first stream is registered. */
function FirstStream() {
  return (
    <>
      <h1>Follow your first API</h1>
      <ol class="steps">
        <li>Paste the URL of a JSON API or of a stream of server-sent events.</li>
        <li>Preview it: Weir sends one request, shows the response and suggests settings.</li>
        <li>Start it: Weir records every response and tracks size, changes and health.</li>
      </ol>
      <PreviewForm />
      <p class="muted">
        No API to try? <code>bun run sim</code> starts eight simulated services with sixteen streams; the{' '}
        <a href="/topology">topology</a> shows their calls. To add many APIs at once,{' '}
        <a href="/streams/import">import</a> JSON, CSV or an OpenAPI document.
      </p>
    </>
  )
}

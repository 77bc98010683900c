import type { Child } from 'hono/jsx'
import { Ago, bytes, percent, rate, Sparkline, VerdictBadge } from '../layout/format.tsx'
import { Page } from '../layout/layout.tsx'
import { Live } from '../layout/live.tsx'
import { LookForm } from '../preview/preview.tsx'

export interface HomeData {
  streams: number
  verdicts: Readonly<Record<string, number>>
  incidents: {
    open: number
    newest: readonly { id: string; title: string; severity: string; openedAt: Date }[]
  }
  /** By minute, the oldest first. */
  minutes: readonly { messages: number; errors: number; wireBytes: number }[]
  saved:
    | { baselines: { plain: number }; streamingBytes: number; shares: { plain: number | null } }
    | undefined
  troubled: { count: number; first: readonly TroubledRow[] }
  changed: readonly { id: string; name: string; changes: number; lastAt: Date }[]
}

export interface TroubledRow {
  id: string
  name: string
  verdict: string
  reason: string
  since: Date
}

/** Whether everything is as it should be, in one look. */
export function HomePage(data: HomeData) {
  return (
    <Page title="Home" section="/">
      <link rel="stylesheet" href="/assets/views/home/home.css" />
      {data.streams === 0 ? (
        <FirstStream />
      ) : (
        <>
          <Live href="/home/live" />
          <Overview {...data} />
        </>
      )}
    </Page>
  )
}

/** Everything on the page that changes: on the first page and in every live update. */
export function Overview({ streams, verdicts, incidents, minutes, saved, troubled, changed }: HomeData) {
  const last = minutes.at(-1) ?? { messages: 0, errors: 0, wireBytes: 0 }
  return (
    <div class="stack home" id="overview">
      <Headline troubled={troubled.count} incidents={incidents.open} />
      <VerdictBar streams={streams} verdicts={verdicts} />
      <div class="tiles">
        <Tile
          name="Open incidents"
          value={String(incidents.open)}
          href="/incidents"
          isBad={incidents.open > 0}
        >
          {incidents.newest[0] && (
            <>
              since <Ago at={incidents.newest[0].openedAt} />
            </>
          )}
        </Tile>
        <Tile name="Events and polls a minute" value={rate(last.messages)}>
          <Sparkline
            values={minutes.map(({ messages }) => messages)}
            label={`Events and polls by minute over the last hour, ${last.messages} in the last`}
          />
        </Tile>
        <Tile name="Received a minute" value={bytes(last.wireBytes)}>
          <Sparkline
            values={minutes.map(({ wireBytes }) => wireBytes)}
            label={`Bytes by minute over the last hour, ${bytes(last.wireBytes)} in the last`}
          />
        </Tile>
        <Tile name="Streaming saves" value={percent(saved?.shares.plain ?? null)}>
          {saved === undefined
            ? 'nothing was polled in the last 24 h'
            : `${bytes(saved.streamingBytes)} in place of ${bytes(saved.baselines.plain)} polled in 24 h`}
        </Tile>
      </div>
      <div class="columns">
        <section class="panel" aria-labelledby="attention">
          <h2 id="attention">Needs attention</h2>
          <Attention {...troubled} />
        </section>
        <section class="panel" aria-labelledby="incidents">
          <h2 id="incidents">Incidents</h2>
          {incidents.newest.length === 0 ? (
            <p class="muted">Nothing is wrong.</p>
          ) : (
            <ul class="lines">
              {incidents.newest.map(({ id, title, severity, openedAt }) => (
                <li>
                  <a href={`/incidents/${id}`}>{title}</a>
                  <span class="muted">
                    {severity}, <Ago at={openedAt} />
                  </span>
                </li>
              ))}
            </ul>
          )}
        </section>
        <section class="panel" aria-labelledby="changed">
          <h2 id="changed">Changed in the last hour</h2>
          {changed.length === 0 ? (
            <p class="muted">Nothing changed.</p>
          ) : (
            <ul class="lines">
              {changed.map(({ id, name, changes, lastAt }) => (
                <li>
                  <a href={`/streams/${id}`}>{name}</a>
                  <span class="muted">
                    {changes} {changes === 1 ? 'change' : 'changes'}, <Ago at={lastAt} />
                  </span>
                </li>
              ))}
            </ul>
          )}
        </section>
      </div>
    </div>
  )
}

function Headline({ troubled, incidents }: { troubled: number; incidents: number }) {
  const isGood = troubled === 0 && incidents === 0
  const problems = [
    troubled > 0 && `${troubled} ${troubled === 1 ? 'stream needs' : 'streams need'} a look`,
    incidents > 0 && `${incidents} ${incidents === 1 ? 'incident is' : 'incidents are'} open`,
  ].filter(Boolean)
  return (
    <h1 class={isGood ? 'headline good' : 'headline bad'}>
      <span aria-hidden="true">{isGood ? '✓' : '!'}</span>{' '}
      {isGood ? 'Everything is as it should be' : problems.join(', ')}
    </h1>
  )
}

/** All streams as one bar, a part for each verdict; each part leads to its streams. */
function VerdictBar({ streams, verdicts }: Pick<HomeData, 'streams' | 'verdicts'>) {
  const parts = Object.entries(verdicts).filter(([, count]) => count > 0)
  return (
    <section class="panel" aria-label="Streams by verdict">
      <svg class="verdict-bar" width="100%" height="14" aria-hidden="true">
        {parts.map(([verdict, count], index) => {
          const before = parts.slice(0, index).reduce((sum, [, each]) => sum + each, 0)
          const [x, width] = [before, count].map((part) => `${((part / streams) * 100).toFixed(2)}%`)
          return <rect x={x} width={width} height="14" fill={`var(--${verdict})`} />
        })}
      </svg>
      <p class="verdict-counts">
        <a href="/streams">
          {streams} {streams === 1 ? 'stream' : 'streams'}
        </a>
        {parts.map(([verdict, count]) => (
          <a href={`/streams?state=${verdict}`}>
            <VerdictBadge verdict={verdict} /> {count}
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

function Attention({ count, first }: HomeData['troubled']) {
  if (count === 0) return <p class="muted">No stream is stalled, backing off or dead.</p>
  return (
    <>
      <ul class="lines">
        {first.map(({ id, name, verdict, reason, since }) => (
          <li>
            <span>
              <VerdictBadge verdict={verdict} /> <a href={`/streams/${id}`}>{name}</a>
            </span>
            <span class="muted">
              {reason} Since <Ago at={since} />
            </span>
          </li>
        ))}
      </ul>
      {count > first.length && <p class="muted">And {count - first.length} more.</p>}
    </>
  )
}

/** What somebody sees who has just started Weir. */
function FirstStream() {
  return (
    <>
      <h1>Follow your first API</h1>
      <ol class="steps">
        <li>Paste the URL of an API: a JSON document, or a stream of server-sent events.</li>
        <li>Look what is there: Weir asks once, shows it, and suggests how to follow it.</li>
        <li>
          Press Start. From then on every response is logged, measured and judged, for as long as you like.
        </li>
      </ol>
      <LookForm />
      <p class="muted">
        Nothing at hand? <code>bun run sim</code> starts eight simulated services with sixteen streams; the{' '}
        <a href="/topology">topology</a> shows them as they call one another. Many APIs at once:{' '}
        <a href="/streams/import">import</a> takes JSON, CSV and OpenAPI documents.
      </p>
    </>
  )
}

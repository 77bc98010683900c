import type { Child } from 'hono/jsx'
import { Keys, type KeysData } from '../access/keys.tsx'
import { Fact } from '../layout/fact.tsx'
import { Ago, bytes } from '../layout/format.tsx'
import { Page } from '../layout/layout.tsx'

/** What this Weir runs with. */
export interface SettingsView {
  version: string
  /** What runs it, with its version. */
  runtime: string
  role: 'all' | 'web' | 'worker'
  startedAt: Date
  storage: { kind: 'embedded' | 'postgres'; at: string }
  jobs: { kind: 'database' | 'redis'; at: string }
  /** Where closed days are archived; null: nowhere. */
  archive: string | null
  retention: { days: number; maxBytes: number | null; maxEntries: number | null; minutesDays: number }
  /** Those that hold streams, the one that was seen last in front. */
  processes: readonly { name: string; startedAt: Date; seenAt: Date; streams: number; isThis: boolean }[]
  settings: readonly SettingView[]
}

export interface SettingView {
  key: string
  about: string
  /** Null when it is off, and for secrets. */
  value: string | null
  isGiven: boolean
  isSecret: boolean
  fallback: string | null
  example: string | null
}

export interface SettingsPageData extends SettingsView {
  preferences: { theme: string; zone: string; rows: number }
  choices: { themes: readonly string[]; zones: readonly string[]; rows: readonly number[] }
  isSaved: boolean
  keys: KeysData
  now: Date
}

/** A process that wasn't seen for longer than this is said to be gone, in milliseconds. */
const GONE_MS = 60_000

/** What this Weir runs with, and what its reader prefers. */
export function SettingsPage({ preferences, choices, isSaved, keys, now, ...view }: SettingsPageData) {
  return (
    <Page title="Settings" section="/settings" scripts={['views/settings/client/settings.ts']}>
      <link rel="stylesheet" href="/assets/views/settings/settings.css" />
      <h1>Settings</h1>
      <PreferencesPanel preferences={preferences} choices={choices} isSaved={isSaved} />
      <Keys {...keys} now={now} />
      <RunningPanel {...view} now={now} />
      <Processes processes={view.processes} now={now} />
      <Environment settings={view.settings} />
    </Page>
  )
}

const LABELS: Readonly<Record<string, string>> = {
  system: 'As the system',
  dark: 'Dark',
  light: 'Light',
  reader: 'My own',
  utc: 'UTC',
}

function PreferencesPanel({
  preferences,
  choices,
  isSaved,
}: Pick<SettingsPageData, 'preferences' | 'choices' | 'isSaved'>) {
  return (
    <section class="panel" aria-labelledby="preferences">
      <h2 id="preferences">On this device</h2>
      <form class="preferences" method="post" action="/settings/preferences" id="preferences-form">
        <Choice name="theme" legend="Colours" choices={choices.themes} chosen={preferences.theme} />
        <Choice name="zone" legend="Time zone" choices={choices.zones} chosen={preferences.zone} />
        <Choice
          name="rows"
          legend="Rows a page"
          choices={choices.rows.map(String)}
          chosen={String(preferences.rows)}
        />
        <p class="preferences-end">
          <button type="submit">Save</button>{' '}
          <span class="muted" role="status" id="preferences-saved">
            {isSaved && 'Saved.'}
          </span>
        </p>
      </form>
      <p class="muted">
        Kept in this browser alone. Motion is reduced where the system asks for that. Single-key shortcuts are
        switched in their own sheet: press <kbd>?</kbd>.
      </p>
    </section>
  )
}

interface ChoiceProps {
  name: string
  legend: string
  choices: readonly string[]
  chosen: string
}

function Choice({ name, legend, choices, chosen }: ChoiceProps) {
  return (
    <fieldset>
      <legend>{legend}</legend>
      {choices.map((choice) => (
        <label>
          <input type="radio" name={name} value={choice} checked={choice === chosen} autocomplete="off" />
          {LABELS[choice] ?? choice}
        </label>
      ))}
    </fieldset>
  )
}

const ROLES = {
  all: 'pages, API and streams',
  web: 'pages and API; others hold the streams',
  worker: 'holds streams',
} as const

function RunningPanel({
  now,
  version,
  runtime,
  role,
  startedAt,
  storage,
  jobs,
  archive,
  retention,
}: SettingsView & { now: Date }) {
  const { days, maxBytes, maxEntries, minutesDays } = retention
  const bounds = [
    `${days} days`,
    maxBytes !== null && `at most ${bytes(maxBytes)}`,
    maxEntries !== null && `at most ${maxEntries.toLocaleString('en')} entries`,
  ].filter(Boolean)
  return (
    <section class="panel" aria-labelledby="running">
      <h2 id="running">This Weir</h2>
      <dl class="facts wide-facts">
        <Fact name="Version">
          {version} <span class="muted">on {runtime}</span>
        </Fact>
        <Fact name="Started">
          <Ago at={startedAt} /> <span class="muted">up {uptime(now.getTime() - startedAt.getTime())}</span>
        </Fact>
        <Fact name="Role">
          {role} <span class="muted">{ROLES[role]}</span>
        </Fact>
        <Fact name="Data">
          {storage.kind === 'embedded' ? 'Embedded' : 'Postgres'} <Where at={storage.at} />
        </Fact>
        <Fact name="Job queue">
          {jobs.kind === 'redis' ? 'Redis' : 'In the database'}{' '}
          {jobs.kind === 'redis' && <Where at={jobs.at} />}
        </Fact>
        <Fact name="Archive">
          {archive === null ? (
            <>
              Off <a href="/archive">how to set it up</a>
            </>
          ) : (
            <>
              S3 <Where at={archive} />
            </>
          )}
        </Fact>
        <Fact name="Log kept">
          {bounds.join(', ')} <a href="/storage">what it takes</a>
        </Fact>
        <Fact name="Sums kept">Minutes {minutesDays} days, hours 400 days, days for good</Fact>
      </dl>
    </section>
  )
}

function Where({ at }: { at: string }) {
  return <code class="wrap">{at}</code>
}

function Processes({ processes, now }: Pick<SettingsView, 'processes'> & { now: Date }) {
  return (
    <section class="panel" aria-labelledby="processes">
      <h2 id="processes">Processes that hold streams</h2>
      {processes.length === 0 ? (
        <p class="muted">
          None was seen yet. Start one with <code>ROLE=worker</code>, or this one with <code>ROLE=all</code>.
        </p>
      ) : (
        <Scroll>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col" class="number">
                Streams
              </th>
              <th scope="col">Seen</th>
              <th scope="col">Started</th>
            </tr>
          </thead>
          <tbody>
            {processes.map(({ name, streams, seenAt, startedAt, isThis }) => (
              <tr>
                <th scope="row">
                  <span class="mono">{name}</span> {isThis && <span class="tag">this one</span>}
                  {now.getTime() - seenAt.getTime() > GONE_MS && <span class="tag">gone</span>}
                </th>
                <td class="number">{streams.toLocaleString('en')}</td>
                <td>
                  <Ago at={seenAt} />
                </td>
                <td>
                  <Ago at={startedAt} />
                </td>
              </tr>
            ))}
          </tbody>
        </Scroll>
      )}
    </section>
  )
}

function Environment({ settings }: Pick<SettingsView, 'settings'>) {
  const given = settings.filter(({ isGiven }) => isGiven).length
  return (
    <section class="panel" aria-labelledby="environment">
      <h2 id="environment">
        Environment{' '}
        <span class="muted aside">
          {given} of {settings.length} set, the others have their default
        </span>
      </h2>
      <p class="muted">
        Read once, when Weir starts: from its environment, or from <code>.env</code> where it was started.
      </p>
      <ul class="settings">
        {settings.map((setting) => (
          <Setting setting={setting} />
        ))}
      </ul>
    </section>
  )
}

function Setting({ setting }: { setting: SettingView }) {
  const { key, about, value, isGiven, isSecret, fallback, example } = setting
  const line = isGiven && !isSecret ? `${key}=${value}` : `${key}=${fallback ?? example ?? ''}`
  return (
    <li id={key} class={isGiven ? 'given' : undefined}>
      <p class="setting-name">
        <code>{key}</code> <span class={isGiven ? 'tag set' : 'tag'}>{isGiven ? 'set' : 'default'}</span>
        <button type="button" class="curl needs-script" data-copy={line} aria-label={`Copy ${key}`}>
          copy
        </button>
      </p>
      <p class="setting-value wrap">
        {isSecret || value === null ? (
          <span class="muted">{isSecret && isGiven ? 'hidden' : 'off'}</span>
        ) : (
          <code>{value}</code>
        )}{' '}
        <span class="muted">{value !== null && inWords(key, value)}</span>
      </p>
      <p class="setting-about muted">{about}</p>
    </li>
  )
}

const MS_UNITS = [
  [86_400_000, 'days'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
] as const

/** What a number of milliseconds or bytes amounts to. */
function inWords(key: string, value: string): string | undefined {
  const number = Number(value)
  if (!Number.isFinite(number)) return undefined
  if (key.endsWith('_BYTES')) return bytes(number)
  if (!key.endsWith('_MS')) return undefined
  const [unitMs, unit] = MS_UNITS.find(([size]) => number >= size && number % size === 0) ?? [1, 'ms']
  return unit === 'ms' ? undefined : `${number / unitMs} ${unit}`
}

function Scroll({ children }: { children: Child }) {
  return (
    <div class="table-scroll">
      <table>{children}</table>
    </div>
  )
}

/** How long something has been, in its two largest units. */
function uptime(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000))
  const [days, hours] = [Math.floor(minutes / 1_440), Math.floor((minutes % 1_440) / 60)]
  if (days > 0) return `${days} d ${hours} h`
  return hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`
}

import type { Child } from 'hono/jsx'
import type { workers } from '../../drizzle/schema.ts'
import type { SettingInForce } from '../../src/config/in-force.ts'
import type { Config } from '../../src/config/settings.ts'
import type { Preferences } from '../../src/routes/settings/preferences.ts'
import { type KeysData, KeysPanel } from '../access/keys.tsx'
import { Fact } from '../layout/fact.tsx'
import { Ago, bytes } from '../layout/format.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'

/** The configuration in force. */
export interface SettingsView {
  version: string
  /** Name and version of the runtime. */
  runtime: string
  role: Config['role']
  startedAt: Date
  storage: { kind: 'embedded' | 'postgres'; at: string }
  jobs: { kind: 'database' | 'redis'; at: string }
  /** Where closed days are archived; null when the archive is off. */
  archive: string | null
  retention: { days: number; maxBytes: number | null; maxEntries: number | null; minutesDays: number }
  /** The workers, last seen first. */
  processes: readonly (typeof workers.$inferSelect & { isThis: boolean })[]
  settings: readonly SettingView[]
}

/** A setting, with null for what is off, and for secrets. */
export type SettingView = {
  [Name in keyof SettingInForce]: undefined extends SettingInForce[Name]
    ? string | null
    : SettingInForce[Name]
}

export interface SettingsPageData extends SettingsView {
  choices: {
    themes: readonly Preferences['theme'][]
    zones: readonly Preferences['zone'][]
    rows: readonly Preferences['rows'][]
  }
  isSaved: boolean
  keys: KeysData
  now: Date
}

/** Time without a heartbeat after which a process is shown as gone, in milliseconds. */
const GONE_MS = 60_000

/** The configuration in force, and the reader's preferences. */
export function SettingsPage({ reader, choices, isSaved, keys, now, ...view }: SettingsPageData & ForReader) {
  return (
    <Page
      reader={reader}
      title="Settings"
      section="/settings"
      scripts={['views/settings/client/settings.ts']}
    >
      <link rel="stylesheet" href="/assets/views/settings/settings.css" />
      <h1>Settings</h1>
      <PreferencesPanel reader={reader} choices={choices} isSaved={isSaved} />
      <KeysPanel {...keys} caller={reader.caller} now={now} />
      <RunningPanel {...view} now={now} />
      <Processes processes={view.processes} now={now} />
      <Environment settings={view.settings} />
    </Page>
  )
}

const LABELS: Readonly<Record<string, string>> = {
  system: 'System',
  dark: 'Dark',
  light: 'Light',
  reader: 'Local',
  utc: 'UTC',
}

function PreferencesPanel({
  reader,
  choices,
  isSaved,
}: Pick<SettingsPageData & ForReader, 'reader' | 'choices' | 'isSaved'>) {
  return (
    <section class="panel" aria-labelledby="preferences">
      <h2 id="preferences">Preferences</h2>
      <form class="preferences" method="post" action="/settings/preferences" id="preferences-form">
        <Choice name="theme" legend="Theme" choices={choices.themes} chosen={reader.theme} />
        <Choice name="zone" legend="Time zone" choices={choices.zones} chosen={reader.zone} />
        <Choice
          name="rows"
          legend="Rows per page"
          choices={choices.rows.map(String)}
          chosen={String(reader.rows)}
        />
        <p class="preferences-end">
          <button type="submit">Save</button>{' '}
          <span class="muted" role="status" id="preferences-saved">
            {isSaved && 'Saved.'}
          </span>
        </p>
      </form>
      <p class="muted">
        Stored in this browser only. Animations follow your system's reduced-motion setting. To turn
        single-key shortcuts on or off, press <kbd>?</kbd>.
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
  all: 'console, API and streams',
  web: 'console and API; workers run the streams',
  worker: 'runs streams',
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
    maxBytes !== null && `up to ${bytes(maxBytes)}`,
    maxEntries !== null && `up to ${maxEntries.toLocaleString('en')} entries`,
  ].filter(Boolean)
  return (
    <section class="panel" aria-labelledby="running">
      <h2 id="running">Instance</h2>
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
        <Fact name="Database">
          {storage.kind === 'embedded' ? 'Embedded' : 'Postgres'} <Where at={storage.at} />
        </Fact>
        <Fact name="Job queue">
          {jobs.kind === 'redis' ? 'Redis' : 'In the database'}{' '}
          {jobs.kind === 'redis' && <Where at={jobs.at} />}
        </Fact>
        <Fact name="Archive">
          {archive === null ? (
            <>
              Off <a href="/archive">Set up</a>
            </>
          ) : (
            <>
              S3 <Where at={archive} />
            </>
          )}
        </Fact>
        <Fact name="Log retention">
          {bounds.join(', ')} <a href="/storage">Storage</a>
        </Fact>
        <Fact name="Rollup retention">Minutes {minutesDays} days, hours 400 days, days forever</Fact>
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
      <h2 id="processes">Workers</h2>
      {processes.length === 0 ? (
        <p class="muted">
          No workers yet. Start one with <code>ROLE=worker</code>, or restart this process with{' '}
          <code>ROLE=all</code>.
        </p>
      ) : (
        <Scroll>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col" class="number">
                Streams
              </th>
              <th scope="col">Last seen</th>
              <th scope="col">Started</th>
            </tr>
          </thead>
          <tbody>
            {processes.map(({ name, streams, seenAt, startedAt, isThis }) => (
              <tr>
                <th scope="row">
                  <span class="mono">{name}</span> {isThis && <span class="tag">this process</span>}
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
          {given} of {settings.length} set, the rest use defaults
        </span>
      </h2>
      <p class="muted">
        Read once at startup, from the environment or from <code>.env</code> in the working directory.
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
          Copy
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

/** A number of milliseconds or bytes in a readable unit. */
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

/** A duration in its two largest units. */
function uptime(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000))
  const [days, hours] = [Math.floor(minutes / 1_440), Math.floor((minutes % 1_440) / 60)]
  if (days > 0) return `${days} d ${hours} h`
  return hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`
}

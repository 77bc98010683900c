import { desc } from 'drizzle-orm'
import { Elysia } from 'elysia'
import { workers } from '../../drizzle/schema.ts'
import { SettingsPage, type SettingsView } from '../../views/settings.tsx'
import { type Config, settingsInForce } from '../config.ts'
import type { Database } from '../storage/storage.ts'
import { json } from './answers/answer.ts'
import { Settings } from './answers/settings.ts'
import { html } from './html.ts'
import { query, readForm } from './input.ts'
import { operation } from './operation.ts'
import { checkPreferences, preferencesCookie, preferencesOf, ROWS, THEMES, ZONES } from './preferences.ts'

/** Processes told of, those that were seen last. */
const MAX_PROCESSES = 50
/** A form of preferences is a few words, in bytes. */
const MAX_FORM_BYTES = 4_096

export interface SettingsRoutesDeps {
  db: Database
  config: Config
  version: string
  running: Running
  now(): number
}

/** This process, as it was put together. */
export interface Running {
  /** Where data and jobs lie, for people: without credentials. */
  storage: string
  jobs: string
  /** Its name among the workers. */
  worker: string
  startedAt: Date
}

/** What this Weir runs with, and what its reader prefers. */
export function settingsRoutes(deps: SettingsRoutesDeps) {
  const api = new Elysia({ detail: { tags: ['Operation'] } }).get('/api/settings', () => inForce(deps), {
    detail: operation('What this Weir runs with', SETTINGS, { answers: json(Settings) }),
  })
  const pages = new Elysia({ detail: { hide: true } })
    .get('/settings', async ({ request }) => {
      const { saved } = query(request, 'saved')
      const choices = { themes: THEMES, zones: ZONES, rows: ROWS }
      const page = { ...(await inForce(deps)), preferences: preferencesOf(request), choices }
      return html(<SettingsPage {...page} isSaved={saved !== undefined} now={new Date(deps.now())} />)
    })
    .post(
      '/settings/preferences',
      async ({ request }) => {
        const cookie = preferencesCookie(checkPreferences(await readForm(request, MAX_FORM_BYTES)))
        const headers = { Location: '/settings?saved=yes', 'Set-Cookie': cookie }
        const isScript = request.headers.has('hx-request')
        return new Response(
          null,
          isScript ? { status: 204, headers: { 'Set-Cookie': cookie } } : { status: 303, headers },
        )
      },
      { parse: 'none' },
    )
  return new Elysia().use(api).use(pages)
}

async function inForce({ db, config, version, running }: SettingsRoutesDeps): Promise<SettingsView> {
  const processes = await db.select().from(workers).orderBy(desc(workers.seenAt)).limit(MAX_PROCESSES)
  const { s3Endpoint, s3Bucket, s3Prefix, role } = config
  return {
    version,
    runtime: `Bun ${Bun.version}`,
    role,
    startedAt: running.startedAt,
    storage: { kind: config.databaseUrl === undefined ? 'embedded' : 'postgres', at: running.storage },
    jobs: { kind: config.redisUrl === undefined ? 'database' : 'redis', at: running.jobs },
    archive: s3Bucket === undefined ? null : `${s3Endpoint}/${s3Bucket}/${s3Prefix}`,
    retention: {
      days: config.retentionDays,
      maxBytes: config.retentionMaxBytes ?? null,
      maxEntries: config.retentionMaxEntries ?? null,
      minutesDays: config.minutesDays,
    },
    processes: processes.map((each) => ({ ...each, isThis: each.name === running.worker })),
    settings: settingsInForce(config).map(({ value, fallback, example, ...setting }) => {
      return { ...setting, value: value ?? null, fallback: fallback ?? null, example: example ?? null }
    }),
  }
}

const SETTINGS =
  'Every setting of the environment with its meaning and the `value` in force: null when it is off, and for secrets, of ' +
  'which only `isGiven` tells that they are set. Of addresses, who signs in is left out. `processes` are those that ' +
  'hold streams, the one seen last in front; `isThis` where the one that answers holds streams, too.'

import { desc } from 'drizzle-orm'
import { Elysia } from 'elysia'
import { workers } from '../../../drizzle/schema.ts'
import { SettingsPage, type SettingsView } from '../../../views/settings/settings.tsx'
import { callerOf, covers } from '../../auth/caller.ts'
import type { Keys } from '../../auth/keys.ts'
import { settingsInForce } from '../../config/in-force.ts'
import type { Config } from '../../config/settings.ts'
import { SCOPES } from '../../core/sets/scopes.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import { checkKey } from '../access/keys.ts'
import { readerOf } from '../access/reader.ts'
import { json } from '../answers/answer.ts'
import { Settings } from '../answers/settings.ts'
import { describe } from '../http/describe.ts'
import { html } from '../http/html.ts'
import { integerOf, query, readForm } from '../http/input.ts'
import { redirect } from '../http/redirect.ts'
import { checkPreferences, preferencesCookie, ROWS, THEMES, ZONES } from './preferences.ts'

/** Maximum number of workers shown, last seen first. */
const MAX_PROCESSES = 50
/** Largest preferences form, in bytes. */
const MAX_FORM_BYTES = 4_096
/** Longest lifetime of a key: ten years. */
const MAX_MINUTES = 5_260_000

export interface SettingsRoutesDeps {
  db: Database
  config: Config
  version: string
  running: Running
  keys: Keys
  /** Public URL of Weir, without a trailing slash. */
  self(): string
  now(): number
}

/** This process, as it was configured. */
export interface Running {
  /** Where data and jobs are stored, for people: without credentials. */
  storage: string
  jobs: string
  /** Name of this worker. */
  worker: string
  startedAt: Date
}

/** The configuration in force, and the reader's preferences. */
export function settingsRoutes(deps: SettingsRoutesDeps) {
  const api = new Elysia({ detail: { tags: ['Operation'] } }).get('/api/settings', () => inForce(deps), {
    response: json(Settings),
    detail: describe('Get settings', SETTINGS),
  })
  const pages = new Elysia({ detail: { hide: true } })
    .get('/settings', ({ request }) => {
      const { saved } = query(request, 'saved')
      return settingsPage(deps, request, { isSaved: saved !== undefined })
    })
    .post('/settings/keys', ({ request }) => keyMade(deps, request))
    .post('/settings/keys/:id/revoke', async ({ params }) => {
      await deps.keys.revoke(params.id)
      return redirect('/settings#keys')
    })
    .post('/settings/preferences', async ({ request }) => {
      const cookie = preferencesCookie(checkPreferences(await readForm(request, MAX_FORM_BYTES)))
      const headers = { Location: '/settings?saved=yes', 'Set-Cookie': cookie }
      const isScript = request.headers.has('hx-request')
      return new Response(
        null,
        isScript ? { status: 204, headers: { 'Set-Cookie': cookie } } : { status: 303, headers },
      )
    })
  return new Elysia().use(api).use(pages)
}

interface Shown {
  isSaved?: boolean
  /** A key that was just created, with its secret. */
  made?: { name: string; secret: string }
  /** What was typed into the key form, and its error. */
  form?: { values: Record<string, string>; error: string }
  status?: number
}

async function settingsPage(
  deps: SettingsRoutesDeps,
  request: Request,
  { isSaved = false, made, form, status }: Shown,
) {
  const choices = { themes: THEMES, zones: ZONES, rows: ROWS }
  const reader = readerOf(request)
  const view = { ...(await inForce(deps)), choices, isSaved }
  const rows = await deps.keys.list()
  const isClosed = deps.config.token !== undefined
  const mayManage = reader.caller !== undefined && covers(reader.caller.scope, 'admin')
  const keys = { rows, scopes: SCOPES, mayManage, isClosed, made, form }
  const page = (
    <SettingsPage reader={reader} {...view} keys={{ ...keys, url: deps.self() }} now={new Date(deps.now())} />
  )
  return html(page, { status })
}

/** Creates a key; only the response page ever shows its secret. */
async function keyMade(deps: SettingsRoutesDeps, request: Request): Promise<Response> {
  const values = await readForm(request, MAX_FORM_BYTES)
  const { name, scope, expiresIn = '' } = values
  const minutes = integerOf('expiresIn', expiresIn || undefined, 1, MAX_MINUTES)
  const expiresAt = minutes && new Date(deps.now() + minutes * 60_000).toISOString()
  try {
    const { key, secret } = await deps.keys.add(
      checkKey({ name, scope, ...(expiresAt && { expiresAt }) }),
      callerOf(request)?.name ?? 'nobody',
    )
    const response = await settingsPage(deps, request, { made: { name: key.name, secret } })
    response.headers.set('Cache-Control', 'no-store, no-transform')
    response.headers.set('Content-Location', `/api/keys/${key.id}`)
    return response
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    const form = { values, error: error.detail }
    return settingsPage(deps, request, { form, status: error.status })
  }
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
  'Every setting with its description and the `value` in effect: null when off and for secrets, where `isGiven` tells ' +
  'whether they are set. URLs are shown without credentials. `processes` lists the workers, most recently seen first; ' +
  '`isThis` marks the one that responds.'

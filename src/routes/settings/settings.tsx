import { desc } from 'drizzle-orm'
import { Elysia } from 'elysia'
import { SCOPES, workers } from '../../../drizzle/schema.ts'
import { SettingsPage, type SettingsView } from '../../../views/settings/settings.tsx'
import { callerOf, covers } from '../../auth/caller.ts'
import type { Keys } from '../../auth/keys.ts'
import { type Config, settingsInForce } from '../../config.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import { checkKey } from '../access/keys.ts'
import { json } from '../answers/answer.ts'
import { Settings } from '../answers/settings.ts'
import { html } from '../http/html.ts'
import { integerOf, query, readForm } from '../http/input.ts'
import { operation } from '../http/operation.ts'
import { redirect } from '../http/redirect.ts'
import { checkPreferences, preferencesCookie, preferencesOf, ROWS, THEMES, ZONES } from './preferences.ts'

/** Processes told of, those that were seen last. */
const MAX_PROCESSES = 50
/** A form of preferences is a few words, in bytes. */
const MAX_FORM_BYTES = 4_096
/** Until a key expires: ten years. */
const MAX_MINUTES = 5_260_000

export interface SettingsRoutesDeps {
  db: Database
  config: Config
  version: string
  running: Running
  keys: Keys
  /** Where people reach this Weir, without a slash at the end. */
  self(): string
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
    .get('/settings', ({ request }) => {
      const { saved } = query(request, 'saved')
      return settingsPage(deps, request, { isSaved: saved !== undefined })
    })
    .post('/settings/keys', ({ request }) => keyMade(deps, request), { parse: 'none' })
    .post(
      '/settings/keys/:id/revoke',
      async ({ params }) => {
        await deps.keys.revoke(params.id)
        return redirect('/settings#keys')
      },
      { parse: 'none' },
    )
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

const NOBODY = { name: 'nobody', scope: 'read' } as const

interface Shown {
  isSaved?: boolean
  /** A key that was just made, with its secret. */
  made?: { name: string; secret: string }
  /** What was typed into the form for keys, and what is wrong with it. */
  form?: { values: Record<string, string>; error: string }
  status?: number
}

async function settingsPage(
  deps: SettingsRoutesDeps,
  request: Request,
  { isSaved = false, made, form, status }: Shown,
) {
  const choices = { themes: THEMES, zones: ZONES, rows: ROWS }
  const view = { ...(await inForce(deps)), preferences: preferencesOf(request), choices, isSaved }
  const me = callerOf(request) ?? NOBODY
  const rows = await deps.keys.list()
  const isClosed = deps.config.token !== undefined
  const keys = { rows, scopes: SCOPES, me, mayManage: covers(me.scope, 'admin'), isClosed, made, form }
  const page = <SettingsPage {...view} keys={{ ...keys, url: deps.self() }} now={new Date(deps.now())} />
  return html(page, { status })
}

/** Makes a key; the page that answers is the only one that ever shows it. */
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
  'Every setting of the environment with its meaning and the `value` in force: null when it is off, and for secrets, of ' +
  'which only `isGiven` tells that they are set. Of addresses, who signs in is left out. `processes` are those that ' +
  'hold streams, the one seen last in front; `isThis` where the one that answers holds streams, too.'

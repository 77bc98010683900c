import { tmpdir } from 'node:os'
import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { takeBackup } from '../../backup/take.ts'
import type { Config } from '../../config/settings.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import { answer } from '../answers/answer.ts'
import { describe } from '../http/describe.ts'

export interface BackupRoutesDeps {
  db: Database
  config: Pick<Config, 'databaseUrl' | 'dataDir'>
  version: string
  now(): number
  warn(message: string, error: unknown): void
}

/** All stored data, including secrets: for admins only. */
export function backupRoutes({ config, warn, ...deps }: BackupRoutesDeps) {
  const spoolDir = config.databaseUrl === undefined ? config.dataDir : tmpdir()
  const state = { isBusy: false }
  return new Elysia({ detail: { tags: ['Operation'] } }).post(
    '/api/backup',
    async ({ request, server }) => {
      if (state.isBusy)
        throw new Problem('too_many', 'A backup is already in progress. Try again when it has finished.')
      state.isBusy = true
      // The database may need a while before the first byte.
      server?.timeout(request, 0)
      const done = () => {
        state.isBusy = false
      }
      const parts = takeBackup({ ...deps, spoolDir })
      // Before the response starts, so that an error status is still possible.
      const first = await parts.next().catch((error) => {
        done()
        throw error
      })
      return download(first, parts, { nowMs: deps.now(), warn, done })
    },
    { response: ANSWERS, detail: describe('Create a backup', ABOUT) },
  )
}

function download(
  first: IteratorResult<Uint8Array>,
  parts: AsyncGenerator<Uint8Array>,
  { nowMs, warn, done }: Pick<BackupRoutesDeps, 'warn'> & { nowMs: number; done(): void },
): Response {
  let next: IteratorResult<Uint8Array> | undefined = first
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done: isDone, value } = next ?? (await parts.next())
        next = undefined
        if (!isDone) return controller.enqueue(value)
        done()
        controller.close()
      } catch (error) {
        done()
        warn('Backup failed', error)
        controller.error(error)
      }
    },
    async cancel() {
      await parts.return(undefined).finally(done)
    },
  })
  const name = `weir-${new Date(nowMs).toISOString().replace(/[:.]/g, '-')}.ndjson.gz`
  return new Response(body, {
    headers: {
      'Content-Type': 'application/gzip',
      'Content-Disposition': `attachment; filename="${name}"`,
      'Cache-Control': 'no-store',
    },
  })
}

const ABOUT =
  'All stored data at one point in time, without pausing recording: gzipped lines that `weir restore` loads into an ' +
  'embedded database or a Postgres server. Contains secrets: stream headers and channel URLs. The last line has a ' +
  'checksum of all others; a file without it is incomplete. One backup at a time.'
const ANSWERS = {
  200: answer({
    description: 'Backup',
    content: { 'application/gzip': { schema: Type.String({ format: 'binary' }) } },
  }),
}

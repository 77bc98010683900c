import { tmpdir } from 'node:os'
import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { takeBackup } from '../../backup/take.ts'
import type { Config } from '../../config.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import { operation } from '../http/operation.ts'

export interface BackupRoutesDeps {
  db: Database
  config: Pick<Config, 'databaseUrl' | 'dataDir'>
  version: string
  now(): number
  warn(message: string, error: unknown): void
}

/** Everything that is stored, secrets among it: for those who may see all. */
export function backupRoutes({ config, warn, ...deps }: BackupRoutesDeps) {
  const spoolDir = config.databaseUrl === undefined ? config.dataDir : tmpdir()
  const state = { isBusy: false }
  return new Elysia({ detail: { tags: ['Operation'] } }).post(
    '/api/backup',
    async ({ request, server }) => {
      if (state.isBusy) throw new Problem('too_many', 'A backup is being taken already; wait for its end.')
      state.isBusy = true
      // The database may take its time before there is a first byte.
      server?.timeout(request, 0)
      const done = () => {
        state.isBusy = false
      }
      const parts = takeBackup({ ...deps, spoolDir })
      // Before the answer begins, so that a refusal can still be one.
      const first = await parts.next().catch((error) => {
        done()
        throw error
      })
      return download(first, parts, { nowMs: deps.now(), warn, done })
    },
    { parse: 'none', detail: operation('Take a backup', ABOUT, { answers: ANSWERS }) },
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
        warn('A backup failed', error)
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
  "All that is stored, as of one instant, while recording goes on: gzip'd lines that `weir restore` reads into an " +
  'embedded database or a Postgres server. It holds secrets: headers of streams, addresses of channels. Its last line ' +
  'holds the sum over all others; a file without it was cut off. One at a time.'
const ANSWERS = {
  200: {
    description: 'The backup',
    content: { 'application/gzip': { schema: Type.String({ format: 'binary' }) } },
  },
}

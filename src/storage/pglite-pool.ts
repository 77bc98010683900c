import type { PGlite, Transaction } from '@electric-sql/pglite'
import { types } from '@electric-sql/pglite'
import type { PgPool, PgPoolClient } from '../queue/types.ts'

type NotificationListener = (message: { channel: string; payload?: string }) => void

/** Like `pg`: 64-bit and arbitrary-precision numbers are returned as text, so that no digit is lost. */
const PG_PARSERS = {
  [types.INT8]: (text: string) => text,
  [types.NUMERIC]: (text: string) => text,
}

/**
 * Presents a PGlite as the part of `pg.Pool` that BullMQ's Postgres backend uses. There is only one session behind it, so
 * clients are nominal; a transaction that one opens with BEGIN holds the session until its COMMIT or ROLLBACK, and all other
 * queries wait.
 */
export function pglitePool(database: PGlite): PgPool {
  const pool: PgPool = {
    query: (text, parameters) => run(database, text, parameters),
    connect: async () => pgliteClient(database),
    end: async () => {},
    on: () => pool,
    removeAllListeners: () => pool,
  }
  return pool
}

function pgliteClient(database: PGlite): PgPoolClient {
  const channels = new Map<string, () => Promise<void>>()
  const notify = new Set<NotificationListener>()
  let transaction: OpenTransaction | undefined

  const client: PgPoolClient = {
    async query(text: string, parameters?: readonly unknown[]) {
      const command = text.trim().toUpperCase()
      if (command === 'BEGIN') {
        transaction = await openTransaction(database)
        return { rows: [] }
      }
      if (command === 'COMMIT' || command === 'ROLLBACK') {
        await transaction?.end(command)
        transaction = undefined
        return { rows: [] }
      }
      const channel = /^LISTEN\s+"?(\w+)"?;?\s*$/i.exec(stripComments(text))?.[1]
      if (channel !== undefined) {
        if (!channels.has(channel)) channels.set(channel, await listen(channel))
        return { rows: [] }
      }
      return run(transaction?.session ?? database, text, parameters)
    },
    // biome-ignore lint/suspicious/noExplicitAny: `on` is overloaded per event; only a listener of any type fits all
    on(event: string, listener: any) {
      if (event === 'notification') notify.add(listener)
      return client
    },
    removeListener(_event, listener) {
      notify.delete(listener)
      return client
    },
    removeAllListeners() {
      notify.clear()
      return client
    },
    release() {
      // A closed database no longer listens.
      for (const stop of channels.values()) stop().catch(() => {})
      channels.clear()
      notify.clear()
    },
  }
  return client

  function listen(channel: string) {
    return database.listen(channel, (payload) => {
      for (const listener of notify) listener({ channel, payload })
    })
  }
}

interface OpenTransaction {
  session: Transaction
  end(command: 'COMMIT' | 'ROLLBACK'): Promise<void>
}

/** PGlite passes a transaction to a callback; this keeps the callback open until the client ends it. */
function openTransaction(database: PGlite): Promise<OpenTransaction> {
  return new Promise((opened, failed) => {
    const done = Promise.withResolvers<void>()
    const finished = database.transaction(async (session) => {
      opened({
        session,
        async end(command) {
          if (command === 'ROLLBACK') await session.rollback()
          done.resolve()
          await finished
        },
      })
      await done.promise
    })
    finished.catch(failed)
  })
}

async function run(session: PGlite | Transaction, text: string, parameters?: readonly unknown[]) {
  if (parameters === undefined || parameters.length === 0) {
    const results = await session.exec(text, { parsers: PG_PARSERS })
    const last = results.at(-1)
    return { rows: (last?.rows ?? []) as never[], rowCount: rowCount(last) }
  }
  const result = await session.query(text, [...parameters], { parsers: PG_PARSERS })
  return { rows: result.rows as never[], rowCount: rowCount(result) }
}

function rowCount(result: { rows: unknown[]; affectedRows?: number } | undefined): number {
  return result === undefined ? 0 : Math.max(result.rows.length, result.affectedRows ?? 0)
}

function stripComments(text: string): string {
  return text.replace(/--.*$/gm, '').trim()
}

import { and, eq, inArray } from 'drizzle-orm'
import { streams } from '../../drizzle/schema.ts'
import { digestOf, newSecret, type RandomBytes } from '../auth/secrets.ts'
import { PUSHED_KINDS } from '../core/sets/stream-kinds.ts'
import { Problem } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import type { Stream } from '../streams/ingest/run.ts'

/** Longest text that may be a token, in characters; only its digest is compared, so any other is as unknown. */
const MAX_TOKEN_CHARS = 200

/** The stream that a token is for. Its digest is looked up, so that the time it takes says nothing about the token. */
export async function streamOfToken(db: Database, token: string): Promise<Stream | undefined> {
  const digest = digestOf(token.slice(0, MAX_TOKEN_CHARS))
  const [stream] = await db
    .select()
    .from(streams)
    .where(and(eq(streams.pushToken, digest), inArray(streams.kind, PUSHED_KINDS)))
  return stream
}

/**
 * Gives a stream a new token, which replaces the one before.
 * @returns the token, which is stored nowhere
 * @throws Problem `conflict` for a stream to which nothing is pushed
 */
export async function renewToken(db: Database, id: string, random: RandomBytes): Promise<string> {
  const token = newSecret(random)
  const rows = await db
    .update(streams)
    .set({ pushToken: digestOf(token) })
    .where(and(eq(streams.id, id), inArray(streams.kind, PUSHED_KINDS)))
    .returning({ id: streams.id })
  if (rows.length > 0) return token
  throw new Problem('conflict', 'Only a stream of the kind push has such a URL.', 'kind')
}

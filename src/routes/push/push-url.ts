import { renewToken } from '../../push/tokens.ts'
import type { Database } from '../../storage/storage.ts'

export interface PushUrlDeps {
  db: Database
  /** Public URL of Weir, without a trailing slash. */
  self(): string
}

/** Gives a stream a new URL to push to; the one before stops working. */
export async function newPushUrl({ db, self }: PushUrlDeps, id: string): Promise<string> {
  return `${self()}/in/${await renewToken(db, id, (bytes) => crypto.getRandomValues(bytes))}`
}

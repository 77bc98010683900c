import type { Bus } from '../bus/bus.ts'
import type { SharedCounts } from '../limits/shared-counts.ts'
import type { Database } from '../storage/storage.ts'
import { Audit } from './audit.ts'
import { SessionCookie } from './cookie.ts'
import { CredentialWatch, type Subscribers } from './credential-watch.ts'
import { Door } from './door.ts'
import { Guesses } from './guesses.ts'
import { Keys } from './keys.ts'
import { Links } from './links.ts'
import type { RandomBytes } from './secrets.ts'
import { Sessions } from './sessions.ts'

export interface AccessOptions {
  db: Database
  bus: Bus
  /** WEIR_TOKEN; undefined: anyone on this machine has access. */
  token: string | undefined
  now(): number
  warn(message: string, error?: unknown): void
  /** Public URL of Weir; undefined: where it listens. */
  publicUrl?: string | undefined
  /** Counts shared by all processes; omitted: each counts wrong secrets on its own. */
  counts?: SharedCounts | undefined
  /** The open event streams; omitted: none. */
  subscribers?: Subscribers
  /** How often their credentials are checked, in milliseconds. */
  checkEveryMs?: number
  random?: RandomBytes
}

/** Sign-in, keys and the audit log. */
export interface Access {
  door: Door
  keys: Keys
  cookie: SessionCookie
  audit: Audit
  links: Links
  /** Waits for pending writes. */
  close(): Promise<void>
}

export function openAccess(options: AccessOptions): Access {
  const { random = fill, publicUrl, subscribers, checkEveryMs: everyMs, counts, ...deps } = options
  const { bus, warn, token, now } = deps
  const keys = new Keys({ ...deps, random })
  const sessions = new Sessions({ ...deps, keys, random })
  const watch = subscribers && new CredentialWatch({ keys, sessions, subscribers, bus, warn, everyMs })
  const cookie = new SessionCookie({ publicUrl })
  const guesses = new Guesses({ now, shared: counts, pepper: token ?? '' })
  const links = new Links({ ...deps, random })
  const door = new Door({ token, keys, sessions, cookie, guesses, links })
  const audit = new Audit(deps)
  return {
    ...{ door, keys, cookie, audit, links },
    async close() {
      sessions.close()
      await Promise.all([watch?.close(), keys.close(), audit.settled()])
    },
  }
}

function fill(bytes: Uint8Array): Uint8Array {
  return crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)
}

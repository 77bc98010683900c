import type { Database } from '../storage/storage.ts'
import { Audit } from './audit.ts'
import { Door } from './door.ts'
import { Guesses } from './guesses.ts'
import { Keys } from './keys.ts'
import type { RandomBytes } from './secrets.ts'
import { Sessions } from './sessions.ts'

export interface AccessOptions {
  db: Database
  /** WEIR_TOKEN; undefined: whoever is on this machine is let in. */
  token: string | undefined
  now(): number
  warn(message: string, error?: unknown): void
  random?: RandomBytes
}

/** Who gets in, and what they did. */
export interface Access {
  door: Door
  keys: Keys
  audit: Audit
  /** Waits for what is being written down. */
  close(): Promise<void>
}

export function openAccess({ random = fill, ...deps }: AccessOptions): Access {
  const keys = new Keys({ ...deps, random })
  const sessions = new Sessions({ ...deps, keys, random })
  const door = new Door({ token: deps.token, keys, sessions, guesses: new Guesses(deps.now) })
  const audit = new Audit(deps)
  return {
    ...{ door, keys, audit },
    async close() {
      await Promise.all([keys.close(), audit.settled()])
    },
  }
}

function fill(bytes: Uint8Array): Uint8Array {
  return crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)
}

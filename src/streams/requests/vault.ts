import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const CIPHER = 'aes-256-gcm'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Encrypts what streams keep of their upstreams' secrets in the database: its key is never in it. */
export class Vault {
  readonly #secret: () => string
  #derived: Buffer | undefined

  /** @param secret any text; an unpredictable one. Asked for when it is needed first. */
  constructor(secret: () => string) {
    this.#secret = secret
  }

  get #key(): Buffer {
    this.#derived ??= createHash('sha256').update(`weir cookies 1\n${this.#secret()}`).digest()
    return this.#derived
  }

  /** @param owner what the text belongs to: it can't be opened for another */
  seal(text: string, owner: string): Uint8Array {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(CIPHER, this.#key, nonce).setAAD(Buffer.from(owner))
    return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  }

  /** @returns undefined for what was sealed with another key, for another owner, or is damaged */
  open(sealed: Uint8Array, owner: string): string | undefined {
    const bytes = Buffer.from(sealed)
    try {
      const decipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, NONCE_BYTES))
      decipher.setAAD(Buffer.from(owner)).setAuthTag(bytes.subarray(-TAG_BYTES))
      return (
        decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)).toString('utf8') + decipher.final('utf8')
      )
    } catch {
      return undefined
    }
  }
}

/** The secret in a file that only this user can read; a new one if there is no file. */
export function secretInFile(path: string): string {
  if (existsSync(path)) return readFileSync(path, 'utf8').trim()
  const secret = randomBytes(KEY_BYTES).toString('base64url')
  writeFileSync(path, `${secret}\n`, { mode: 0o600, flag: 'wx' })
  return secret
}

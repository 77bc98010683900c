import { createHmac, timingSafeEqual } from 'node:crypto'
import { sha256 } from '../core/documents/document.ts'

/** Fills an array with bytes that nobody can foresee. */
export type RandomBytes = (bytes: Uint8Array) => Uint8Array

/** What every key begins with, so that scanners of repositories and people know one when they see it. */
const MARK = 'weir_'
/** 256 bits: nobody guesses one, so one round of SHA-256 keeps it; slow hashes are for what people think up. */
const SECRET_BYTES = 32
/** Of 32 bytes in base64url, without padding. */
const KEY_SHAPE = /^weir_[\w-]{43}$/
/** Shown of a key, to tell it from others: 24 of its 256 bits. */
const PREFIX_CHARS = MARK.length + 4

/** A new key. */
export function newKey(random: RandomBytes): string {
  return MARK + newSecret(random)
}

export function newSecret(random: RandomBytes): string {
  return Buffer.from(random(new Uint8Array(SECRET_BYTES))).toString('base64url')
}

/** Whether something can be a key at all. */
export function isKeyShaped(secret: string): boolean {
  return KEY_SHAPE.test(secret)
}

/** What of a key may be shown. */
export function prefixOf(key: string): string {
  return `${key.slice(0, PREFIX_CHARS)}…`
}

/** How a secret of 256 random bits is stored, and found again. */
export function digestOf(secret: string): string {
  return sha256(secret)
}

/** Says that who holds a session knew the token, to none but who holds the session. */
export function proofOf(session: string, token: string): string {
  return createHmac('sha256', session).update(token).digest('hex')
}

/** In a time that tells nothing; compares digests, which have one length, so how long the token is doesn't show either. */
export function isEqual(given: string, known: string): boolean {
  return timingSafeEqual(Buffer.from(sha256(given)), Buffer.from(sha256(known)))
}

import { createHmac, timingSafeEqual } from 'node:crypto'
import { sha256 } from '../core/documents/document.ts'

/** Fills an array with unpredictable bytes. */
export type RandomBytes = (bytes: Uint8Array) => Uint8Array

/** Prefix of every key, so that secret scanners and people recognize one. */
const MARK = 'weir_'
/** 256 bits can't be guessed, so one round of SHA-256 is enough; slow hashes are for passwords that people choose. */
const SECRET_BYTES = 32
/** Of 32 bytes in base64url, without padding. */
const KEY_SHAPE = /^weir_[\w-]{43}$/
/** Characters shown to tell keys apart: 24 of the 256 bits. */
const PREFIX_CHARS = MARK.length + 4

/** A new key. */
export function newKey(random: RandomBytes): string {
  return MARK + newSecret(random)
}

export function newSecret(random: RandomBytes): string {
  return Buffer.from(random(new Uint8Array(SECRET_BYTES))).toString('base64url')
}

/** Whether a text has the form of a key. */
export function isKeyShaped(secret: string): boolean {
  return KEY_SHAPE.test(secret)
}

/** The part of a key that may be shown. */
export function prefixOf(key: string): string {
  return `${key.slice(0, PREFIX_CHARS)}…`
}

/** The digest by which a secret of 256 random bits is stored and found. */
export function digestOf(secret: string): string {
  return sha256(secret)
}

/** Proves that the session was started with the token; can't be checked without the session's secret. */
export function proofOf(session: string, token: string): string {
  return createHmac('sha256', session).update(token).digest('hex')
}

/** In constant time; compares digests, which have one length, so the token's length doesn't show either. */
export function isSameSecret(given: string, known: string): boolean {
  return timingSafeEqual(Buffer.from(sha256(given)), Buffer.from(sha256(known)))
}

import type { Json } from './document.ts'
import type { Work } from './work.ts'

type Members = { [key: string]: Json }

/** How many characters of a text are compared to distinguish it from others. */
const SAMPLED_CHARS = 8
/** The precision of fractions: numbers that differ by less hash alike. */
const FRACTIONS = 4_096

/** An object's identity: the value of the first of the keys that it has. */
export function identity(member: Json, keys: readonly string[]): string | number | undefined {
  if (typeof member !== 'object' || member === null) return undefined
  for (const key of keys) {
    const value = (member as Members)[key]
    if (typeof value === 'string' || typeof value === 'number') return value
  }
  return undefined
}

/**
 * Equal for members that seem to match: their identity, else the value itself, or a hash of the content. Rarely, it is equal
 * for others too.
 */
export function nameOf(member: Json, keys: readonly string[], work: Work): Json {
  if (typeof member !== 'object') return member
  return identity(member, keys) ?? -1 - (mixed(0, member, work) >>> 0)
}

/** Whether two values are the same JSON, regardless of member order. */
export function isEqual(one: Json, other: Json, work?: Work): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (Array.isArray(one)) return Array.isArray(other) && areEqual(one, other, work)
  if (Array.isArray(other)) return false
  let members = 0
  let isSame = true
  for (const key in one) {
    members++
    isSame = Object.hasOwn(other, key) && isEqual(one[key] as Json, other[key] as Json, work)
    if (!isSame) break
  }
  work?.spend(1 + members)
  return isSame && members === Object.keys(other).length
}

function areEqual(one: readonly Json[], other: readonly Json[], work: Work | undefined): boolean {
  if (one.length !== other.length) return false
  let at = 0
  while (at < one.length && isEqual(one[at] as Json, other[at] as Json, work)) at++
  work?.spend(1 + at)
  return at === one.length
}

/**
 * Continues a hash (FNV-1a, by words of 32 bits): much faster than serializing values that only need to be
 * distinguished.
 */
function mixed(hash: number, value: Json, work: Work): number {
  if (typeof value === 'number') {
    return Number.isInteger(value) ? step(hash, value) : step(hash, value * FRACTIONS)
  }
  if (typeof value === 'string') {
    let next = step(hash, value.length)
    const stride = Math.ceil(value.length / SAMPLED_CHARS)
    for (let at = 0; at < value.length; at += stride) next = step(next, value.charCodeAt(at))
    return next
  }
  if (typeof value !== 'object' || value === null) return step(hash, value === null ? 1 : value ? 2 : 3)
  let next = step(hash, 4)
  let members = 0
  if (Array.isArray(value)) {
    members = value.length
    for (const member of value) next = mixed(next, member, work)
  } else {
    for (const key in value) {
      members++
      next = mixed(next, value[key] as Json, work)
    }
  }
  work.spend(1 + members)
  return next
}

function step(hash: number, word: number): number {
  return Math.imul(hash ^ word, 0x01000193)
}

import { expect, test } from 'bun:test'
import { diff } from '../../src/core/documents/diff.ts'
import { canonicalJson, type Json, type PatchOperation } from '../../src/core/documents/document.ts'
import { isEqual } from '../../src/core/documents/member-names.ts'
import { patch } from '../../src/core/documents/patch.ts'
import { MAX_LEVELS, TooMuch, Work } from '../../src/core/documents/work.ts'
import { integer, seeded } from './seeded.ts'

const random = seeded('core/work')

/** What is read of a document while something is done with it: the work itself, whoever counts it. */
class Reads {
  count = 0

  /** The document, as somebody reads it who counts. */
  of(document: Json): Json {
    if (typeof document !== 'object' || document === null) return document
    const members = new Map<string | symbol, unknown>()
    return new Proxy(document as object, {
      get: (target, key, receiver) => {
        this.count++
        if (!Object.hasOwn(target, key)) return Reflect.get(target, key, receiver)
        if (!members.has(key))
          members.set(key, this.of((target as Record<string | symbol, Json>)[key] as Json))
        return members.get(key)
      },
      ownKeys: (target) => {
        const keys = Reflect.ownKeys(target)
        this.count += keys.length
        return keys
      },
    }) as Json
  }
}

/** The most that is read in one step: of a member a name, an identity and what is compared. */
const READS_A_STEP = 8

const list = (length: number, make: (at: number) => Json) => Array.from({ length }, (_, at) => make(at))
const shuffled = (items: Json[]) => items.map((item) => [random(), item] as const).sort(([a], [b]) => a - b)
const nested = (levels: number, salt: number) => {
  let document: Json = 1
  for (let level = 0; level < levels; level++) document = [level + salt, document, level]
  return document
}

/** Pairs that are hard to compare, each in its own way, of about so many members. */
const HARD: [what: string, make: (members: number, version: number) => Json][] = [
  ['numbers that are all others', (n) => list(n, () => integer(random, 1_000_000))],
  ['zeros and ones', (n) => list(n, () => integer(random, 2))],
  ['a pattern, further on', (n, version) => list(n, (at) => (at + version) % 7)],
  ['a permutation', (n) => shuffled(list(n, (id) => ({ id, v: `${id}` }))).map(([, item]) => item)],
  ['a few identities, many times', (n) => list(n, (at) => ({ id: at % 7, b: integer(random, 1_000) }))],
  ['rows without an identity', (n) => list(n, () => ({ a: integer(random, 9), b: integer(random, 1_000) }))],
  [
    'short lists without anything in common',
    (n) =>
      list(Math.ceil(n / 30), () => list(30, () => ({ a: integer(random, 1_000), b: [integer(random, 9)] }))),
  ],
  ['arrays in arrays', (n, version) => nested(Math.min(n / 3, 500), version)],
  [
    'objects of many members',
    (n) => Object.fromEntries(list(n, (at) => at).map((at) => [`${at}`, integer(random, 9)])),
  ],
]

test.each(HARD)('what a comparison reads is what it counts: %s', (_what, make) => {
  for (const members of [60, 900]) {
    const reads = new Reads()
    const work = new Work()
    const [from, to] = [make(members, 0), make(members, 1)]
    const operations = diff(reads.of(from), reads.of(to), [], work)
    expect(reads.count).toBeLessThanOrEqual(READS_A_STEP * work.spent)
    expect(isEqual(patch(from, operations.map(plain)), to)).toBe(true)
  }
})

test.each(HARD)('a comparison ends at its bound, wherever it is: %s', (_what, make) => {
  const [from, to] = [make(900, 0), make(900, 1)]
  const whole = new Work()
  diff(from, to, [], whole)
  for (const share of [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99]) {
    const steps = Math.floor(whole.spent * share)
    const reads = new Reads()
    const error = thrownBy(() => diff(reads.of(from), reads.of(to), [], new Work(steps)))
    expect(error).toMatchObject({ name: 'TooMuch', what: 'steps' })
    // What is counted in one is read before: an array's members, or an object's.
    expect(reads.count).toBeLessThanOrEqual(READS_A_STEP * (steps + 2 * 900))
  }
})

const BOMB: PatchOperation[] = list(21, (at) => ({ op: 'copy', from: '', path: `/${at}` }) as never) as never

test('copies that double the document end where they would add more than they may', () => {
  const error = thrownBy(() => patch({ a: 'xxxxxxxxxx' }, BOMB, { maxCopiedBytes: 10_000 }))
  expect(error).toMatchObject({ name: 'TooMuch', what: 'bytes' })
  const eight = patch({ a: 'xxxxxxxxxx' }, BOMB.slice(0, 8), { maxCopiedBytes: 10_000 })
  expect(canonicalJson(eight).length).toBeLessThan(10_000)
  // Without a bound of bytes, that of the steps holds.
  expect(thrownBy(() => patch({ a: 1 }, BOMB, { work: new Work(10_000) }))).toMatchObject({ what: 'steps' })
})

test('what was made before a bound was reached is gone, and the document as it was', () => {
  const document = { a: 'xxxxxxxxxx', b: [1] }
  const text = JSON.stringify(document)
  const operations = [{ op: 'add', path: '/b/-', value: 2 } as const, ...BOMB]
  expect(() => patch(document, operations, { maxCopiedBytes: 1_000 })).toThrow('add more than 1000 bytes')
  expect(JSON.stringify(document)).toBe(text)
})

test.each<[string, (at: number) => PatchOperation]>([
  ['moves within it', () => ({ op: 'move', from: '/list/5', path: '/list/0' })],
  [
    'removals and additions',
    (at) => (at % 2 ? { op: 'remove', path: '/list/0' } : { op: 'add', path: '/list/0', value: 0 }),
  ],
  [
    'moves out of it and in',
    (at) =>
      at % 2 ? { op: 'move', from: '/x', path: '/list/0' } : { op: 'move', from: '/list/0', path: '/x' },
  ],
  ['copies of it', (at) => ({ op: 'copy', from: '/list', path: `/${at}` })],
  ['tests of it', () => ({ op: 'test', path: '/list', value: list(100_000, (at) => at) })],
])('a long array makes a patch costly, and the patch ends: %s', (_what, operation) => {
  const operations = Array.from({ length: 400 }, (_, at) => operation(at))
  const document = { list: list(100_000, (at) => at) }
  const steps = 1_000_000
  expect(thrownBy(() => patch(document, operations, { work: new Work(steps) }))).toMatchObject({
    what: 'steps',
  })
})

test('a patch of few small operations takes few steps', () => {
  const document = { list: list(1_000, (at) => ({ id: at, v: 0 })) }
  const work = new Work()
  patch(document, [{ op: 'replace', path: '/list/7/v', value: 1 }], { work })
  expect(work.spent).toBeLessThan(100)
})

test.each<[string, (levels: number) => string]>([
  ['arrays', (levels) => '['.repeat(levels) + ']'.repeat(levels)],
  ['objects', (levels) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`],
])('nested %s are followed as deep as they may be, and no deeper', (_what, text) => {
  const deep = JSON.parse(text(MAX_LEVELS)) as Json
  expect(canonicalJson(deep)).toBe(text(MAX_LEVELS))
  const other = { at: deep }
  expect(isEqual(deep, JSON.parse(text(MAX_LEVELS)))).toBe(true)
  expect(patch(deep, diff(deep, other))).toEqual(other)
  for (const levels of [MAX_LEVELS + 1, 5_000, 1_000_000]) {
    const error = thrownBy(() => canonicalJson(JSON.parse(text(levels))))
    expect(error).toMatchObject({ what: 'levels', message: 'it is nested more than 2000 levels deep' })
  }
})

test('a patch that nests a document deeper than may be is refused', () => {
  const deep = JSON.parse(`${'{"b":'.repeat(MAX_LEVELS - 1)}1${'}'.repeat(MAX_LEVELS - 1)}`)
  const once: PatchOperation[] = [{ op: 'copy', from: '', path: '/a' }]
  expect(canonicalJson(patch(deep, once))).toBeString()
  expect(thrownBy(() => canonicalJson(patch(deep, [...once, ...once])))).toBeInstanceOf(TooMuch)
})

function thrownBy(what: () => unknown): unknown {
  try {
    what()
  } catch (error) {
    return error
  }
  return undefined
}

/** An operation without what counts the reads of its value. */
function plain(operation: PatchOperation): PatchOperation {
  return structuredClone(JSON.parse(JSON.stringify(operation)))
}

import { expect, test } from 'bun:test'
import { hashDocument, type Json, type PatchOperation } from '../../src/core/document.ts'
import { advance, advanceByPatch, rebuild } from '../../src/streams/follow-document.ts'
import type { Followed } from '../../src/streams/run.ts'
import { INHERITED_KEYS, ODD_KEYS, RandomDocuments } from '../core/random-documents.ts'
import { seeded } from '../core/seeded.ts'
import { StepReader } from '../core/step-reader.ts'

const random = seeded('streams/document')
const documents = new RandomDocuments(random, [...ODD_KEYS, ...ODD_KEYS, ...INHERITED_KEYS])

const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value))

test('a first document is a snapshot without a size of change', () => {
  const step = advance(undefined, { a: 1 }, [])
  expect(step).toMatchObject({ kind: 'snapshot', changed: true, data: '{"a":1}' })
  expect(step.patchBytes).toBeUndefined()
  expect(step.followed).toEqual({
    document: { a: 1 },
    hash: hashDocument({ a: 1 }),
    patches: 0,
    patchBytes: 0,
  })
})

test('an unchanged document gives no data and costs nothing', () => {
  const { followed } = advance(undefined, { a: 1, b: [2] }, [])
  const step = advance(followed, { b: [2], a: 1 }, [])
  expect(step).toMatchObject({
    kind: 'patch',
    changed: false,
    patchBytes: 0,
    followed: { patches: 0, patchBytes: 0 },
  })
  expect(step.data).toBeUndefined()
})

test('whatever the documents are, snapshot and patches rebuild each one with the hash it carries', () => {
  const kinds: string[] = []
  for (let chain = 0; chain < 50; chain++) {
    const reader = new StepReader()
    let document = documents.document()
    let last: Followed | undefined
    for (let version = 0; version < 60; version++) {
      const before = JSON.stringify([last?.document, document])
      const step = advance(last, document, [])
      expect(JSON.stringify([last?.document, document])).toBe(before)
      reader.read(step)
      expect(step.followed.hash).toBe(hashDocument(document))
      expect(hashDocument(reader.document)).toBe(step.followed.hash)
      if (step.kind === 'patch' && step.data !== undefined) {
        expect(step.patchBytes).toBe(Buffer.byteLength(step.data))
        expect(step.patchBytes).toBeLessThan(bytes(document))
      }
      expect(step.data === undefined).toBe(!step.changed)
      expect(step.followed.patchBytes).toBeLessThanOrEqual(
        4 * bytes(document) + bytes(last?.document ?? null),
      )
      last = step.followed
      document = next(document)
    }
    expect(rebuild(reader.snapshot, reader.patches)).toEqual({
      ...(last as Followed),
      document: reader.document,
    })
    kinds.push(...reader.kinds)
  }
  // A run that saw only one kind of step would have shown nothing.
  for (const kind of ['snapshot', 'patch', 'unchanged']) {
    expect(kinds.filter((seen) => seen === kind).length).toBeGreaterThan(100)
  }
})

test('a run that begins anew goes on from the log as the last one would have', () => {
  const reader = new StepReader()
  let last: Followed | undefined
  let document: Json = { rows: Array.from({ length: 30 }, (_, id) => ({ id, text: 'some text' })), n: 0 }
  for (let version = 0; version < 40; version++) {
    const step = advance(last, document, [])
    reader.read(step)
    last = rebuild(reader.snapshot, reader.patches)
    expect(last).toEqual({ ...step.followed, document: last.document })
    document = { ...(document as object), n: version + 1 }
  }
})

test('a snapshot comes at least every 200 patches', () => {
  const reader = new StepReader()
  let last: Followed | undefined
  for (let n = 0; n < 1_000; n++) {
    const step = advance(last, { n, text: 'x'.repeat(20_000) }, [])
    reader.read(step)
    last = step.followed
  }
  const runs = reader.kinds
    .join(' ')
    .split('snapshot')
    .map((run) => run.match(/patch/g)?.length ?? 0)
  expect(Math.max(...runs)).toBe(199)
  expect(reader.kinds.filter((kind) => kind === 'snapshot').length).toBe(5)
})

test('a snapshot comes before a rebuild reads four times the document in patches', () => {
  const reader = new StepReader()
  let last: Followed | undefined
  for (let n = 0; n < 100; n++) {
    const document = { half: `${n}`.repeat(500), rest: 'x'.repeat(2_000) }
    const step = advance(last, document, [])
    reader.read(step)
    expect(reader.patches.join('').length).toBeLessThanOrEqual(4 * bytes(document))
    last = step.followed
  }
  expect(new Set(reader.kinds)).toEqual(new Set(['snapshot', 'patch']))
})

test('a patch that is no smaller than the document is sent as a snapshot, which is its size', () => {
  const { followed } = advance(undefined, { a: 1, b: 2 }, [])
  const step = advance(followed, { c: [3] }, [])
  expect(step).toMatchObject({ kind: 'snapshot', changed: true, data: '{"c":[3]}', patchBytes: 9 })
  expect(step.followed.patches).toBe(0)
})

/** Makes a document larger than the patches of the tests. */
const TEXT = 'x'.repeat(100)

test("an upstream's own patches are stored as they came, and rebuild", () => {
  let { followed } = advance(undefined, { list: [1], n: 0, text: TEXT }, [])
  const texts = [
    '[{"op":"add","path":"/list/-","value":2}]',
    '[ {"op":"copy", "from":"/list", "path":"/n"} ]',
  ]
  for (const text of texts) {
    const step = advanceByPatch(followed, JSON.parse(text), text)
    expect(step).toMatchObject({ kind: 'patch', changed: true, data: text, patchBytes: text.length })
    followed = step.followed
  }
  expect(followed.document).toEqual({ list: [1, 2], n: [1, 2], text: TEXT })
  expect(rebuild(JSON.stringify({ list: [1], n: 0, text: TEXT }), texts)).toEqual(followed)
})

test("an upstream's patch that is no smaller than its document is stored as the document", () => {
  const { followed } = advance(undefined, { n: 0 }, [])
  const text = '[{"op":"replace","path":"/n","value":1}]'
  const step = advanceByPatch(followed, JSON.parse(text), text)
  expect(step).toMatchObject({ kind: 'snapshot', changed: true, data: '{"n":1}', patchBytes: 7 })
})

test("an upstream's patch that changes nothing is told as such", () => {
  const { followed } = advance(undefined, { n: 0, text: TEXT }, [])
  const text = '[{"op":"test","path":"/n","value":0}]'
  expect(advanceByPatch(followed, JSON.parse(text), text)).toMatchObject({ kind: 'patch', changed: false })
})

test("the document of an upstream's patches is stored at least every 200 of them", () => {
  const reader = new StepReader()
  const first = advance(undefined, { n: 0, text: TEXT.repeat(200) }, [])
  reader.read(first)
  let last = first.followed
  for (let n = 1; n <= 600; n++) {
    const text = `[{"op":"replace","path":"/n","value":${n}}]`
    const step = advanceByPatch(last, JSON.parse(text), text)
    reader.read(step)
    expect(hashDocument(reader.document)).toBe(step.followed.hash)
    expect(reader.patches.length).toBeLessThan(200)
    last = step.followed
  }
  expect(reader.kinds.filter((kind) => kind === 'snapshot').length).toBe(4)
})

test.each<[string, unknown]>([
  ['nothing at its path', [{ op: 'remove', path: '/missing' }]],
  [
    'a test that fails, after a change',
    [
      { op: 'replace', path: '/list/0/n', value: 2 },
      { op: 'test', path: '/list', value: 1 },
    ],
  ],
  [
    'an index beyond the end, after a change',
    [
      { op: 'remove', path: '/list' },
      { op: 'add', path: '/own/2', value: 1 },
    ],
  ],
])('a patch with %s throws, and the last document stays', (_what, operations) => {
  const text = '{"list":[{"n":1}],"own":[]}'
  const { followed } = advance(undefined, JSON.parse(text), [])
  const { hash } = followed
  expect(() => advanceByPatch(followed, operations as PatchOperation[], JSON.stringify(operations))).toThrow()
  expect([JSON.stringify(followed.document), followed.hash]).toEqual([text, hash])
})

test.each(['{', '{}', '[{"op":"remove"}]', '"text"', 'null'])(
  'what is stored as a patch but is %s is not rebuilt from',
  (text) => {
    expect(() => rebuild('{"a":1}', [text])).toThrow()
  },
)

/** Mostly a change, sometimes the same in another order, sometimes something else altogether. */
function next(document: Json): Json {
  const kind = random()
  if (kind < 0.05) return documents.document()
  if (kind > 0.15) return documents.change(document)
  const copy = structuredClone(document)
  if (typeof copy !== 'object' || copy === null || Array.isArray(copy)) return copy
  return Object.fromEntries(Object.entries(copy).reverse())
}

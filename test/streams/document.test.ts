import { expect, test } from 'bun:test'
import {
  canonicalJson,
  hashDocument,
  isPatch,
  type Json,
  type PatchOperation,
} from '../../src/core/documents/document.ts'
import { parseJson, stringifyJson } from '../../src/core/documents/json.ts'
import { advance, advanceByPatch, rebuild, type Step } from '../../src/streams/ingest/follow-document.ts'
import type { Followed } from '../../src/streams/ingest/run.ts'
import { INHERITED_KEYS, ODD_KEYS, RandomDocuments } from '../core/random-documents.ts'
import { seeded } from '../core/seeded.ts'
import { StepReader } from '../core/step-reader.ts'

const random = seeded('streams/document')
const documents = new RandomDocuments(random, [...ODD_KEYS, ...ODD_KEYS, ...INHERITED_KEYS])

const bytes = (value: Json) => Buffer.byteLength(stringifyJson(value))

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
      last = reader.read(step)
      expect(canonicalJson(reader.document)).toBe(canonicalJson(document))
      expect(step.followed.hash).toBe(hashDocument(document))
      expect(step.data === undefined).toBe(!step.changed)
      if (step.changed) checkSizes(step, document)
      expect(last.patchBytes).toBeLessThanOrEqual(4 * bytes(document))
      if (version % 10 === 9) {
        const rebuilt = rebuild(reader.snapshot, reader.patches)
        expect(canonicalJson(rebuilt.document)).toBe(canonicalJson(document))
        expect({ ...rebuilt, document }).toEqual({ ...last, document })
      }
      document = parseJson(stringifyJson(next(document)))
    }
    kinds.push(...reader.kinds)
  }
  // A run that saw only one kind of step would have shown nothing.
  for (const kind of ['snapshot', 'patch', 'keyframe', 'unchanged']) {
    expect(kinds.filter((seen) => seen === kind).length).toBeGreaterThan(kind === 'keyframe' ? 2 : 100)
  }
})

function checkSizes({ kind, data = '', patchBytes, snapshotBytes = 0 }: Step, document: Json): void {
  expect(snapshotBytes).toBe(bytes(document))
  if (kind === 'snapshot') {
    expect(Buffer.byteLength(data)).toBe(snapshotBytes)
    expect(patchBytes ?? snapshotBytes).toBeGreaterThanOrEqual(snapshotBytes)
    return
  }
  expect(isPatch(JSON.parse(data))).toBe(true)
  expect(patchBytes).toBe(Buffer.byteLength(data))
  expect(patchBytes).toBeLessThan(snapshotBytes)
}

test('a run that begins anew goes on from the log as the last one would have', () => {
  const reader = new StepReader()
  let last: Followed | undefined
  let document: Json = { rows: Array.from({ length: 30 }, (_, id) => ({ id, text: 'some text' })), n: 0 }
  for (let version = 0; version < 40; version++) {
    const followed = reader.read(advance(last, document, []))
    last = rebuild(reader.snapshot, reader.patches)
    expect(last).toEqual({ ...followed, document: last.document })
    document = { ...(document as object), n: version + 1 }
  }
})

test('a keyframe comes with every 200th patch, which is sent all the same', () => {
  const reader = new StepReader()
  let last: Followed | undefined
  for (let n = 0; n <= 1_000; n++) last = reader.read(advance(last, { n, text: 'x'.repeat(20_000) }, []))
  const runs = reader.kinds.join(' ').split('keyframe')
  expect(runs.map((run) => run.match(/patch/g)?.length ?? 0)).toEqual([200, 200, 200, 200, 200, 0])
  expect(reader.kinds.filter((kind) => kind === 'snapshot').length).toBe(1)
})

test('a keyframe that could not be stored is due again with the next patch', () => {
  const text = 'x'.repeat(20_000)
  let { followed } = advance(undefined, { n: 0, text }, [])
  for (let n = 1; n <= 200; n++) followed = advance(followed, { n, text }, []).followed
  expect(advance(followed, { n: 201, text }, []).keyframe).toBe(JSON.stringify({ n: 201, text }))
})

test('a keyframe comes before a rebuild reads more than four times the document in patches', () => {
  const reader = new StepReader()
  let last: Followed | undefined
  for (let n = 0; n < 100; n++) {
    const document = { half: `${n}`.repeat(500), rest: 'x'.repeat(2_000) }
    last = reader.read(advance(last, document, []))
    expect(reader.patches.join('').length).toBeLessThanOrEqual(4 * bytes(document))
  }
  expect(reader.kinds.slice(0, 2)).toEqual(['snapshot', 'patch'])
  expect(reader.kinds.filter((kind) => kind === 'keyframe').length).toBeGreaterThan(5)
  expect(reader.kinds.filter((kind) => kind === 'snapshot').length).toBe(1)
})

test('where a patch is no smaller than the document, the snapshot is sent, and both sizes are told', () => {
  const { followed } = advance(undefined, { a: 1, b: 2 }, [])
  const step = advance(followed, { c: [3] }, [])
  const patch =
    '[{"op":"remove","path":"/a"},{"op":"remove","path":"/b"},{"op":"add","path":"/c","value":[3]}]'
  const sizes = { patchBytes: patch.length, snapshotBytes: 9 }
  expect(step).toMatchObject({ kind: 'snapshot', changed: true, data: '{"c":[3]}', paths: [''], ...sizes })
  expect(step.followed.patches).toBe(0)
})

test('a patch that leads elsewhere is told as such, and has no size', () => {
  const { followed } = advance(undefined, { a: 1 }, [])
  const step = advance(followed, { a: 2 }, [], () => [{ op: 'replace', path: '/a', value: 3 }])
  expect(step).toMatchObject({ kind: 'snapshot', data: '{"a":2}', mismatched: true, snapshotBytes: 7 })
  expect(step.patchBytes).toBeUndefined()
})

test.each<[string, () => PatchOperation[]]>([
  [
    'the differ',
    () => {
      throw new Error('takes too long')
    },
  ],
  ['the patcher', () => [{ op: 'remove', path: '/missing' }]],
])('where %s refuses, a snapshot is sent and nothing led elsewhere', (_what, differ) => {
  const { followed } = advance(undefined, { a: 1 }, [])
  const step = advance(followed, { a: 2 }, [], differ)
  expect(step).toMatchObject({ kind: 'snapshot', data: '{"a":2}' })
  expect([step.mismatched, step.patchBytes]).toEqual([undefined, undefined])
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
  expect(step).toMatchObject({
    kind: 'snapshot',
    changed: true,
    data: '{"n":1}',
    patchBytes: 40,
    snapshotBytes: 7,
  })
})

test("an upstream's patch that changes nothing is told as such", () => {
  const { followed } = advance(undefined, { n: 0, text: TEXT }, [])
  const text = '[{"op":"test","path":"/n","value":0}]'
  const step = advanceByPatch(followed, JSON.parse(text), text)
  expect(step).toMatchObject({ kind: 'patch', changed: false, data: text, patchBytes: 0 })
  expect(step.paths).toBeUndefined()
  // A rebuild reads it like any other.
  expect(step.followed.patchBytes).toBe(text.length)
})

test("the first patch of a document that isn't stored is stored as the document", () => {
  const last = advance(undefined, { n: 0, text: TEXT }, []).followed
  const text = '[{"op":"replace","path":"/n","value":1}]'
  const step = advanceByPatch(last, JSON.parse(text), text, false)
  expect(step).toMatchObject({ kind: 'snapshot', changed: true, data: `{"n":1,"text":"${TEXT}"}` })
})

test("the document of an upstream's patches is stored with every 200th of them", () => {
  const reader = new StepReader()
  let last = reader.read(advance(undefined, { n: 0, text: TEXT.repeat(200) }, []))
  for (let n = 1; n <= 600; n++) {
    const text = `[{"op":"replace","path":"/n","value":${n}}]`
    const step = advanceByPatch(last, JSON.parse(text), text)
    expect(step).toMatchObject({ kind: 'patch', data: text })
    last = reader.read(step)
    expect(hashDocument(reader.document)).toBe(step.followed.hash)
    expect(reader.patches.length).toBeLessThan(200)
  }
  expect(reader.kinds.filter((kind) => kind === 'keyframe').length).toBe(3)
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

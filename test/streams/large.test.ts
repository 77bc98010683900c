import { afterAll, expect, test } from 'bun:test'
import { diff } from '../../src/core/documents/diff.ts'
import { hashDocument, type Json } from '../../src/core/documents/document.ts'
import { parseJson, stringifyJson } from '../../src/core/documents/json.ts'
import { advance, advanceByPatch, rebuild, type Step } from '../../src/streams/ingest/follow-document.ts'
import type { Followed, FollowedText } from '../../src/streams/ingest/run.ts'
import { LARGE_CHARS, LargeDocuments } from '../../src/streams/large/documents.ts'
import { DocumentFollower } from '../../src/streams/large/follower.ts'
import { asText, type Job } from '../../src/streams/large/jobs.ts'
import type { Said, WorkerLike } from '../../src/streams/large/pool.ts'
import { newStream } from '../../src/streams/registry/new-stream.ts'
import { INHERITED_KEYS, ODD_KEYS, RandomDocuments } from '../core/random-documents.ts'
import { integer, seeded } from '../core/seeded.ts'

const random = seeded('streams/large')
const large = new LargeDocuments()
afterAll(() => large.close())

const NEVER = new AbortController().signal
const WHOLE = { payload: { pointer: [], ignored: [] }, arrayKeys: [] }
const bytesOf = (document: Json) => new TextEncoder().encode(stringifyJson(document))
/** A step with the hash of the document in its place: its members may be held in another order. */
function told({ followed, ...step }: Step<Followed | FollowedText>) {
  const { text, ...standing } = asText(followed)
  return { ...step, standing, document: hashDocument(parseJson(text)) }
}

test('a worker tells the same of a document, byte for byte, as this thread', async () => {
  const documents = new RandomDocuments(random, [...ODD_KEYS, ...INHERITED_KEYS])
  let document = documents.document()
  let here: Followed | undefined
  let there: FollowedText | undefined
  for (let round = 0; round < 400; round++) {
    const read = parseJson(stringifyJson(document))
    const step = advance(here, read, [])
    const answer = await large.advance(there, bytesOf(document), WHOLE, NEVER)
    expect(answer).not.toHaveProperty('code')
    const same = answer as Step<FollowedText>
    expect(told(same)).toEqual(told(step))
    there = same.followed
    here = { ...step.followed, document: parseJson(there.text) }
    document = random() < 0.1 ? documents.document() : documents.change(document)
  }
})

test('a worker applies the same patches, to the same byte', async () => {
  const documents = new RandomDocuments(random, ODD_KEYS)
  const from = documents.document()
  let here = advance(undefined, from, []).followed
  let there = asText(here)
  for (let round = 0; round < 200; round++) {
    const to = documents.change(here.document)
    const text = stringifyJson(diff(here.document, to))
    const isStored = random() < 0.9
    const step = advanceByPatch(here, parseJson(text) as never, text, isStored)
    const bounds = { maxBytes: 1_000_000, isStored }
    const answer = (await large.advanceByPatch(there, text, bounds, NEVER)) as Step<FollowedText>
    expect(told(answer)).toEqual(told(step))
    there = answer.followed
    here = { ...step.followed, document: parseJson(there.text) }
  }
})

test('a worker rebuilds what is stored', async () => {
  const snapshot = stringifyJson({ list: [1, 2], big: parseJson('12345678901234567890') })
  const patches = ['[{"op":"add","path":"/list/-","value":3}]', '[{"op":"remove","path":"/big"}]']
  expect(await large.rebuild(snapshot, patches)).toEqual(asText(rebuild(snapshot, patches)))
  expect(await large.rebuild(snapshot, ['[{"op":"remove","path":"/missing"}]'])).toBeUndefined()
})

test.each<[string, string, string[], unknown]>([
  ['no JSON', '{"a":', [], { code: 'bad_json', message: "The body isn't complete JSON." }],
  [
    'nothing at the pointer',
    '{"a":1}',
    ['b', 'c/d'],
    { code: 'pointer_missing', message: 'The document has nothing at /b/c~1d.' },
  ],
  ['5,000 levels', deep(5_000), [], tooDeep()],
  ['a million levels', deep(1_000_000), [], tooDeep()],
  ['5,000 levels around a number that a double cannot hold', deep(5_000, '1e400'), [], tooDeep()],
])('what can not be followed is said as clearly: %s', async (_what, body, pointer, expected) => {
  const how = { ...WHOLE, payload: { pointer, ignored: [] } }
  expect(await large.advance(undefined, new TextEncoder().encode(body), how, NEVER)).toEqual(
    expected as never,
  )
  const payloadPointer = pointer.map((token) => `/${token.replaceAll('/', '~1')}`).join('')
  const stream = newStream({ url: 'http://a.test/', kind: 'poll', payloadPointer })
  const follower = new DocumentFollower(stream, { large: refusing() })
  const small = body.length > LARGE_CHARS ? deep(20_000) : body
  const bytes = new TextEncoder().encode(small)
  expect(await follower.advance(undefined, { bytes, text: undefined }, NEVER)).toEqual(expected as never)
})

test('a patch that makes too much of a document is told from one that does not fit', async () => {
  const last = asText(advance(undefined, { a: 'xxxxxxxxxx' }, []).followed)
  const bomb = JSON.stringify(
    Array.from({ length: 21 }, (_, at) => ({ op: 'copy', from: '', path: `/${at}` })),
  )
  const bounds = { maxBytes: 1_000_000, isStored: true }
  expect(await large.advanceByPatch(last, bomb, bounds, NEVER)).toEqual({
    code: 'too_large',
    message: "A patch isn't applied: its copies add more than 1000000 bytes to the document.",
  })
  const grown = `[{"op":"add","path":"/b","value":"${'x'.repeat(999_990)}"}]`
  expect(await large.advanceByPatch(last, grown, bounds, NEVER)).toEqual({
    code: 'too_large',
    message: "A patch isn't applied: it makes a document of more than 1000000 bytes.",
  })
  expect(await large.advanceByPatch(last, '[{"op":"remove","path":"/b"}]', bounds, NEVER)).toEqual({
    code: 'bad_patch',
    message: "A patch doesn't fit: remove /b: nothing is there",
  })
  expect(await large.advanceByPatch(last, '[{"op":"b"}]', bounds, NEVER)).toBeUndefined()
})

test('documents that are small, or have become so, are compared without a worker', async () => {
  const follower = new DocumentFollower(newStream({ url: 'http://a.test/', kind: 'poll' }), {
    large: refusing(),
  })
  const next = async (last: Followed | FollowedText | undefined, document: Json) =>
    (await follower.advance(last, { bytes: bytesOf(document), text: undefined }, NEVER)) as Step
  const first = await next(undefined, { n: 1, text: 'x'.repeat(100) })
  const second = await next(asText(first.followed), { n: 2, text: 'x'.repeat(100) })
  expect([first.kind, second.kind]).toEqual(['snapshot', 'patch'])
})

test('small documents that are hard to compare are compared by a worker, to the same effect', async () => {
  const versions = [1, 2].map(() => Array.from({ length: 30_000 }, () => integer(random, 2)))
  const [from, to] = versions as [Json, Json]
  expect(stringifyJson(from).length).toBeLessThan(LARGE_CHARS)
  const follower = new DocumentFollower(newStream({ url: 'http://a.test/', kind: 'poll' }), { large })
  const first = await follower.advance(undefined, { bytes: bytesOf(from), text: undefined }, NEVER)
  const last = (first as Step).followed
  const second = await follower.advance(last, { bytes: bytesOf(to), text: undefined }, NEVER)
  expect(told(second as Step<FollowedText>)).toEqual(told(advance(last, to, [])))
  expect((second as Step<FollowedText>).followed).toHaveProperty('text')
})

test('a worker that misses its deadline with the comparison leaves a snapshot, and is replaced', async () => {
  const whole = { hash: 'h', text: '[2]', bytes: 3 }
  const workers = new FakeWorkers([[{ answer: { whole } }], [{ answer: { hash: 'h' } }, { isDone: true }]])
  const documents = new LargeDocuments({ start: workers.start, workers: 1, deadlineMs: 1 })
  const last = { text: '[1]', hash: 'g', patches: 3, patchBytes: 9 }
  const step = await documents.advance(last, bytesOf([2]), WHOLE, NEVER)
  expect(step).toEqual({
    kind: 'snapshot',
    changed: true,
    data: '[2]',
    snapshotBytes: 3,
    paths: [''],
    followed: { text: '[2]', hash: 'h', patches: 0, patchBytes: 0 },
  })
  expect(workers.states).toEqual(['ended'])
  const unchanged = await documents.advance((step as Step<FollowedText>).followed, bytesOf([2]), WHOLE, NEVER)
  expect(unchanged).toMatchObject({ changed: false })
  expect(workers.states).toEqual(['ended', 'there'])
  documents.close()
  expect(workers.states).toEqual(['ended', 'ended'])
})

test('a worker that misses its deadline with the document itself leaves an error', async () => {
  const workers = new FakeWorkers([[]])
  const documents = new LargeDocuments({ start: workers.start, workers: 1, deadlineMs: 1 })
  const message = 'The document is too much to be followed: it takes longer than 1 ms.'
  expect(await documents.advance(undefined, bytesOf([2]), WHOLE, NEVER)).toEqual({
    code: 'too_large',
    message,
  })
  expect(workers.states).toEqual(['ended'])
})

test('a worker that never ends its job is ended for real', async () => {
  const start = () =>
    new Worker(new URL('../support/busy-worker.ts', import.meta.url)) as unknown as WorkerLike
  const documents = new LargeDocuments({ start, workers: 1, deadlineMs: 1 })
  for (let round = 0; round < 3; round++) {
    expect(await documents.advance(undefined, bytesOf([2]), WHOLE, NEVER)).toMatchObject({
      code: 'too_large',
    })
  }
  documents.close()
})

test('jobs wait for a worker in their order, as many as there is room for', async () => {
  const workers = new FakeWorkers([[], []])
  const documents = new LargeDocuments({
    start: workers.start,
    workers: 1,
    deadlineMs: 60_000,
    maxWaitingBytes: 12,
  })
  const hashes = [
    '["first"]',
    '["second"]',
    '["third, which is longer than there is room for"]',
    '["4"]',
  ].map((text) => documents.hash(text, NEVER))
  expect(await hashes[2]).toBeUndefined()
  expect(workers.jobs.map((job) => 'text' in job && job.text)).toEqual(['["first"]'])
  workers.say(0, { answer: { hash: '1' } }, { isDone: true })
  expect(await hashes[0]).toBe('1')
  expect(workers.jobs.map((job) => 'text' in job && job.text)).toEqual(['["first"]', '["second"]'])
  documents.close()
  expect(await Promise.all(hashes)).toEqual(['1', undefined, undefined, undefined])
  expect(workers.states).toEqual(['ended'])
})

test('who stops waiting is let go at once, and what waits in vain is never done', async () => {
  const workers = new FakeWorkers([[]])
  const documents = new LargeDocuments({ start: workers.start, workers: 1, deadlineMs: 60_000 })
  const stop = new AbortController()
  const both = Promise.allSettled(['[1]', '[2]'].map((text) => documents.hash(text, stop.signal)))
  stop.abort(new Error('stopped'))
  expect((await both).map((one) => one.status === 'rejected' && one.reason.message)).toEqual([
    'stopped',
    'stopped',
  ])
  workers.say(0, { isDone: true })
  expect(workers.jobs.length).toBe(1)
  documents.close()
})

/** Workers that say what they are told to, as soon as they have a job. */
class FakeWorkers {
  readonly jobs: Job[] = []
  readonly states: ('there' | 'ended')[] = []
  readonly #workers: WorkerLike[] = []
  readonly #scripts: Said[][]

  constructor(scripts: Said[][]) {
    this.#scripts = scripts
  }

  readonly start = (): WorkerLike => {
    const at = this.states.push('there') - 1
    const worker: WorkerLike = {
      onmessage: null,
      onerror: null,
      postMessage: (job) => {
        this.jobs.push(job)
        queueMicrotask(() => this.say(at, ...(this.#scripts[at] ?? [])))
      },
      terminate: () => {
        this.states[at] = 'ended'
      },
    }
    this.#workers.push(worker)
    return worker
  }

  say(at: number, ...said: Said[]): void {
    for (const data of said) this.#workers[at]?.onmessage?.(new MessageEvent('message', { data }))
  }
}

/** Large documents of which there must be none. */
function refusing(): LargeDocuments {
  return new LargeDocuments({
    start: () => {
      throw new Error('A worker was asked for')
    },
  })
}

function deep(levels: number, within = ''): string {
  return '['.repeat(levels) + within + ']'.repeat(levels)
}

function tooDeep() {
  return { code: 'bad_json', message: 'The document is nested too deeply to be followed.' }
}

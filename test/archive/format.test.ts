import { expect, test } from 'bun:test'
import { gunzipSync } from 'node:zlib'
import { BlockCache } from '../../src/archive/block-cache.ts'
import { entryLine, lineEntry, Packer, unpackBlock } from '../../src/archive/format.ts'
import { mergeBySeq } from '../../src/archive/merge.ts'
import { type Entry, storable } from '../../src/streams/recording/entry.ts'
import { integer, seeded } from '../core/seeded.ts'
import { oddDrafts } from './support.ts'

const random = seeded('format.test.ts')
const STREAM = '0199b1b8-0000-7000-8000-000000000001'
const entries: Entry[] = oddDrafts(random, 2_000).map(({ paths: _, ...draft }, index) => ({
  ...draft,
  ...(draft.data !== undefined && { data: storable(draft.data) }),
  streamId: STREAM,
  epoch: 1,
  seq: index + 1,
}))

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}

test('an entry comes back from its line as it was, character for character', () => {
  for (const entry of entries) {
    const line = entryLine(entry)
    expect(line).not.toMatch(/[\r\n]/)
    // What other programs read is JSON, and says the same.
    expect(JSON.parse(line)).toMatchObject({ seq: entry.seq, kind: entry.kind })
    expect(isText(JSON.parse(line))).toBe(true)
    expect(lineEntry(line)).toEqual(entry)
  }
  expect(entries.filter(({ kind, data }) => kind === 'patch' && data?.includes('\n')).length).toBeGreaterThan(
    0,
  )
})

/** Whether no string in it has half of a surrogate pair, which strict readers refuse. */
function isText(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every((pair) => pair.every(isText))
}

test.each([
  ['"\\ud800"', '"\\ufffd"'],
  ['"\\uDFFFx\\ud83d\\uDE00"', '"\\ufffdx\\ud83d\\uDE00"'],
  ['"\\\\ud800"', undefined],
  ['"\\ud83d\\ude00"', undefined],
  ['[\r\n1]', '[  1]'],
])('the JSON %p is made readable where it must be, and kept', (data, readable) => {
  const entry = { ...(entries[0] as Entry), kind: 'patch', data } as const
  const line = entryLine(entry)
  expect(line.endsWith(`,"data":${readable ?? data}}`)).toBe(true)
  expect(JSON.parse(line).dataText).toBe(readable && data)
  expect(lineEntry(line)).toEqual(entry)
})

test('an object is a gzip file of all lines, and each of its blocks one of some', async () => {
  const large = entries.map((entry) => ({ ...entry, event: 'e'.repeat(integer(random, 4_000)) }))
  const packer = new Packer()
  expect(packer.packed()).toBeUndefined()
  const chunks = await Array.fromAsync(packer.pack(each(large)))
  const object = Buffer.concat(chunks)
  const packed = packer.packed()
  // Not Bun's own, which reads the first member alone.
  const text = gunzipSync(object).toString()
  expect(text.length).toBeGreaterThan(3_000_000)
  expect(text).toBe(large.map((e) => `${entryLine(e)}\n`).join(''))
  expect(packed).toMatchObject({ bytes: object.length, entries: 2_000, firstSeq: 1, lastSeq: 2_000 })
  expect(packed?.sha256).toBe(new Bun.CryptoHasher('sha256').update(object).digest('hex'))
  const blocks = packed?.blocks ?? []
  expect(blocks.length).toBe(chunks.length)
  expect(blocks.length).toBeGreaterThan(2)
  let seq = 0
  for (const [index, { offset, firstSeq, lastSeq, firstAt, versionSeq, snapshotSeq }] of blocks.entries()) {
    const block = await unpackBlock(object.subarray(offset, blocks[index + 1]?.offset))
    const held = block.split('\n').slice(0, -1).map(lineEntry)
    expect([held[0]?.seq, held.at(-1)?.seq]).toEqual([firstSeq, lastSeq])
    expect(firstSeq).toBe(seq + 1)
    expect(firstAt).toBe(held[0]?.at as number)
    const versions = held.filter(({ kind }) => kind === 'snapshot' || kind === 'patch')
    expect(versionSeq).toBe(versions.at(-1)?.seq as number)
    expect(snapshotSeq).toBe(versions.findLast(({ kind }) => kind === 'snapshot')?.seq as number)
    seq = lastSeq
  }
  expect(seq).toBe(2_000)
})

test('a line larger than a block is a block of its own', async () => {
  const packer = new Packer()
  const sizes = [10, 3_000_000, 10, 10]
  const some = sizes.map((size, index) => ({ ...(entries[index] as Entry), event: 'e'.repeat(size) }))
  await Array.fromAsync(packer.pack(each(some)))
  expect(packer.packed()?.blocks.map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq])).toEqual([
    [1, 1],
    [2, 2],
    [3, 4],
  ])
})

test.each([false, true])(
  'two sequences are merged, and what both have comes once, newest first: %p',
  async (newest) => {
    for (let round = 0; round < 200; round++) {
      const side = (name: string) => {
        const seqs = Array.from({ length: 20 }, (_, seq) => seq).filter(() => random() < 0.5)
        return (newest ? seqs.reverse() : seqs).map((seq) => ({ seq, name }))
      }
      const [first, second] = [side('first'), side('second')]
      const merged = await Array.fromAsync(mergeBySeq(each(first), each(second), newest))
      const all = new Map([...second, ...first].map((one) => [one.seq, one]))
      const order = [...all.values()].sort((a, b) => (newest ? b.seq - a.seq : a.seq - b.seq))
      expect(merged).toEqual(order)
    }
  },
)

test('blocks are kept up to a bound, the last used ones, and each is read once at a time', async () => {
  const cache = new BlockCache(100)
  const reads: string[] = []
  const get = (key: string, bytes = 40) =>
    cache.get(key, async () => {
      reads.push(key)
      return { entries: [], bytes }
    })
  await Promise.all([get('a'), get('a')])
  await get('b')
  await get('a')
  await get('c')
  expect(cache.bytes).toBe(80)
  await get('a')
  await get('b')
  expect(reads).toEqual(['a', 'b', 'c', 'b'])
  await get('huge', 101)
  expect(cache.bytes).toBe(80)
  await expect(cache.get('bad', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  await get('bad')
  expect(reads.at(-1)).toBe('bad')
  cache.clear()
  expect(cache.bytes).toBe(0)
})

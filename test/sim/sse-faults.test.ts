import { expect, test } from 'bun:test'
import { encodeMessage } from '../../src/core/sse.ts'
import { cut, type Frame, type FrameFaultSettings, FrameFaults } from '../../src/sim/faults/sse-faults.ts'
import { randomFor } from '../../src/sim/random.ts'

const FRAMES = 2_000
/** A share of so many draws strays less than this from its mean, for any seed but one in a million. */
const STRAY = 0.055

const frame = (number: number): Frame => ({
  bytes: encodeMessage({ id: String(number), data: `number ${number}` }),
  number,
})
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

function send(settings: FrameFaultSettings, seed: number, count = FRAMES) {
  const faults = new FrameFaults(randomFor(seed, 'wire'))
  const sent: number[] = []
  for (const number of numbers(count)) {
    const { frames, ends } = faults.pass(frame(number), settings)
    sent.push(...frames.map((each) => each.number ?? 0))
    if (ends) return { sent, last: frames.at(-1)?.bytes }
  }
  return { sent: [...sent, ...faults.release().map((each) => each.number ?? 0)], last: undefined }
}

function printedSeed(): number {
  const seed = Math.floor(Math.random() * 2 ** 32)
  console.log(`seed ${seed}`)
  return seed
}

test('without faults every frame goes out once, in order, byte for byte', () => {
  const faults = new FrameFaults(randomFor(printedSeed(), 'wire'))
  for (const number of numbers(100)) {
    expect(faults.pass(frame(number))).toEqual({ frames: [frame(number)], ends: false })
  }
})

test('dropped frames are gone, about as many as the share says, and the others stay in order', () => {
  const { sent } = send({ drop: 0.3 }, printedSeed())
  expect(sent).toEqual([...new Set(sent)].sort((a, b) => a - b))
  expect(Math.abs(sent.length / FRAMES - 0.7)).toBeLessThan(STRAY)
})

test('doubled frames follow themselves, and none is missing', () => {
  const { sent } = send({ duplicate: 0.3 }, printedSeed())
  expect([...new Set(sent)]).toEqual(numbers(FRAMES))
  expect(sent).toEqual(sent.toSorted((a, b) => a - b))
  expect(Math.abs(sent.length / FRAMES - 1.3)).toBeLessThan(STRAY)
  expect(sent.every((number, at) => number !== sent[at + 2])).toBe(true)
})

test('swapped frames come right behind the one that followed them, and none is missing or doubled', () => {
  const { sent } = send({ reorder: 0.3 }, printedSeed())
  expect(sent.toSorted((a, b) => a - b)).toEqual(numbers(FRAMES))
  const swapped = sent.filter((number, at) => number > (sent[at + 1] ?? Number.POSITIVE_INFINITY))
  expect(swapped.length).toBeGreaterThan(FRAMES * 0.15)
  for (const [at, number] of sent.entries()) expect(Math.abs(number - (at + 1))).toBeLessThanOrEqual(1)
})

test('with a share of 1, every pair is swapped', () => {
  expect(send({ reorder: 1 }, 1, 7).sent).toEqual([2, 1, 4, 3, 6, 5, 7])
})

test('a cut frame is the last, begins as it would, and lacks its end', () => {
  for (const seed of numbers(50)) {
    const { sent, last } = send({ truncate: 0.2 }, seed)
    expect(sent).toEqual(numbers(sent.length))
    const whole = frame(sent.length).bytes
    const length = last?.byteLength ?? 0
    expect(length).toBeGreaterThan(0)
    expect(length).toBeLessThan(whole.byteLength - 1)
    expect(whole.subarray(0, length)).toEqual(last as never)
  }
})

test('a frame that waits to be swapped goes out before the one that is cut', () => {
  const faults = new FrameFaults(randomFor(1, 'wire'))
  expect(faults.pass(frame(1), { reorder: 1 }).frames).toEqual([])
  const { frames, ends } = faults.pass(frame(2), { truncate: 1 })
  expect(frames.map(({ number }) => number)).toEqual([1, 2])
  expect(ends).toBe(true)
})

test('the same seed gives the same, and what one fault hits does not depend on the others', () => {
  const seed = printedSeed()
  expect(send({ drop: 0.2, duplicate: 0.2, reorder: 0.2 }, seed)).toEqual(
    send({ drop: 0.2, duplicate: 0.2, reorder: 0.2 }, seed),
  )
  const alone = new Set(send({ drop: 0.2 }, seed).sent)
  expect(new Set(send({ drop: 0.2, duplicate: 0.5, reorder: 0.5 }, seed).sent)).toEqual(alone)
})

test.each([0, 0.5, 0.999999])(
  'a frame cut at %d of its length has at least a byte, and no blank line',
  (place) => {
    const { bytes } = cut(frame(7), place)
    expect(bytes.byteLength).toBeGreaterThan(0)
    expect(new TextDecoder().decode(bytes)).not.toContain('\n\n')
  },
)

import { integer, pick, type Random, several } from '../core/seeded.ts'

/** What parsers stumble over: ends of lines, NUL, a byte order mark, halves and overlong forms of UTF-8. */
const ODD_BYTES: readonly Uint8Array[] = [
  [0x0a],
  [0x0d],
  [0x0d, 0x0a],
  [0x0a, 0x0a],
  [0x00],
  [0xef, 0xbb, 0xbf],
  [0xff],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xe2, 0x82],
  [0x7f],
  [0x1b, 0x5b],
].map((bytes) => Uint8Array.from(bytes))

export const ODD_TEXTS: readonly string[] = [
  '',
  ' ',
  '\u0000',
  '\ud800',
  '\uffff',
  'é\u0301',
  '😀'.repeat(40),
  '%00',
  '%ff%fe',
  '%',
  '..%2f..%2fetc',
  "'; drop table streams; --",
  '<script>alert(1)</script>',
  '{{7*7}}',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a placeholder, as an attacker sends it
  '${x}',
  '__proto__',
  'constructor',
  'null',
  'NaN',
  '-0',
  '1e999',
  '9'.repeat(40),
  'x'.repeat(5_000),
  '2026-13-45T99:99:99Z',
  '0000-01-01T00:00:00Z',
  '+275760-09-13T00:00:00.001Z',
  'seq:0',
  'seq:99999999999999999999',
  '/a/~2/b',
  '\r\nSet-Cookie: a=b',
]

export function randomBytes(random: Random, most: number): Uint8Array {
  return Uint8Array.from(several(random, most, () => integer(random, 256)))
}

/** Some of the bytes replaced, doubled, taken away, or odd ones put between. */
export function mutated(random: Random, bytes: Uint8Array, changes = 1 + integer(random, 6)): Uint8Array {
  let result = Buffer.from(bytes)
  for (let change = 0; change < changes; change++) {
    const at = integer(random, result.length + 1)
    const length = integer(random, 8)
    const [before, after] = [result.subarray(0, at), result.subarray(at)]
    const part = result.subarray(at, at + length)
    const forms = [
      () => Buffer.concat([before, pick(random, ODD_BYTES), after]),
      () => Buffer.concat([before, randomBytes(random, 8), after.subarray(length)]),
      () => Buffer.concat([before, part, part, after]),
      () => Buffer.concat([before, after.subarray(length)]),
      () => Buffer.from(before),
    ]
    result = pick(random, forms)()
  }
  return result
}

/** The same bytes in pieces; now and then each on its own. */
export function split(random: Random, bytes: Uint8Array): Uint8Array[] {
  const most = pick(random, [1, 3, 64, 4_096, bytes.length + 1])
  const pieces: Uint8Array[] = []
  // Every byte of something long alone would take all the time there is.
  const least = Math.ceil(bytes.length / 400)
  for (let at = 0; at < bytes.length; ) {
    const length = least + integer(random, most)
    pieces.push(bytes.subarray(at, at + length))
    at += Math.max(1, length)
  }
  return pieces
}

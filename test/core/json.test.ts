import { expect, test } from 'bun:test'
import { canonicalJson, hashDocument, type PatchOperation } from '../../src/core/documents/document.ts'
import { parseJson, stringifyJson } from '../../src/core/documents/json.ts'
import { patch } from '../../src/core/documents/patch.ts'
import { integer, pick, seeded } from './seeded.ts'

const random = seeded('core/json')

test.each([
  '12345678901234567890',
  '-12345678901234567890',
  '9007199254740993',
  '0.12345678901234567890',
  '1234567.1234567891',
  '-0.10000000000000001',
  '1e400',
  '-1E+400',
  '1.5e-400',
  '4.9e-324',
  '{"a":[1e999,{"b":18446744073709551616}],"c":"1e999"}',
  '{"__proto__":{"id":12345678901234567890},"constructor":1e400}',
])('%s goes through digit for digit', (text) => {
  expect(stringifyJson(parseJson(text))).toBe(text)
  expect(canonicalJson(parseJson(text))).toBe(text)
})

test.each<[string, unknown]>([
  ['9007199254740992', 9007199254740992],
  ['100000000000000000000', 1e20],
  ['0.30000000000000004', 0.30000000000000004],
  ['1.7976931348623157E308', Number.MAX_VALUE],
  ['5e-324', 5e-324],
  ['1.000000000000000000000', 1],
  ['0.0000000000000000000', 0],
  ['0e999', 0],
  ['"12345678901234567890"', '12345678901234567890'],
  ['{"a":" 1e999 , ","b":"1e999"}', { a: ' 1e999 , ', b: '1e999' }],
])('%s is what JSON.parse says it is', (text, value) => {
  expect(parseJson(text)).toEqual(value as never)
  expect(stringifyJson(parseJson(text))).toBe(JSON.stringify(JSON.parse(text)))
})

test.each([
  '"\\u0000n12"',
  '["\\u0000n1e999",1e999,"\\u0000n1e999"]',
  '{"\\u0000n1":"\\u0000s","\\u0000s":"\\u0000s\\u0000n1"}',
  '["\\u0000","\\u0000\\u0000n1","\\"\\u0000n1","\\\\","\\u0000n\\"]"]',
])('texts that look like what stands for a number stay texts: %s', (text) => {
  expect(stringifyJson(parseJson(text))).toBe(text)
  expect(stringifyJson(parseJson(stringifyJson(parseJson(text))))).toBe(text)
})

test('random numbers keep their value, whatever their digits', () => {
  for (let round = 0; round < 20_000; round++) {
    const text = randomNumber()
    const [kept, plain] = [
      stringifyJson(parseJson(`[${text}]`)).slice(1, -1),
      JSON.stringify(JSON.parse(text)),
    ]
    // Either the digits themselves, or the double's own, which are the same number.
    if (kept !== text) expect([text, kept, scaled(kept)]).toEqual([text, plain, scaled(text)])
  }
})

test('numbers that differ only where a double ends are different documents, and patched apart', () => {
  const [one, other] = ['{"id":12345678901234567890}', '{"id":12345678901234567891}']
  expect(JSON.parse(one)).toEqual(JSON.parse(other))
  expect(hashDocument(parseJson(one))).not.toBe(hashDocument(parseJson(other)))
  const operations = parseJson('[{"op":"replace","path":"/id","value":12345678901234567891}]')
  expect(stringifyJson(patch(parseJson(one), operations as unknown as PatchOperation[]))).toBe(other)
})

test.each(['', '{', '[1 2]', '01234567890123456789', '1.2.3456789012345678', '[1e999', '-'])(
  '%p is refused',
  (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError)
  },
)

test('a member named __proto__ is one like any other', () => {
  const parsed = parseJson('{"__proto__":{"polluted":1e999}}') as object
  expect(Object.keys(parsed)).toEqual(['__proto__'])
  expect('polluted' in {}).toBe(false)
})

function randomNumber(): string {
  const digits = (most: number) =>
    Array.from({ length: 1 + integer(random, most) }, () => integer(random, 10)).join('')
  const whole = digits(25).replace(/^0+(?=\d)/, '')
  const fraction = pick(random, ['', `.${digits(25)}`])
  const exponent = pick(random, ['', '', `e${digits(3)}`, `E-${digits(3)}`, `e+${digits(2)}`])
  return `${pick(random, ['', '-'])}${whole}${fraction}${exponent}`
}

/** The number times ten to the 1,100th, exactly. */
function scaled(text: string): bigint {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  return BigInt(whole + fraction) * 10n ** BigInt(1_100 + Number(exponent) - fraction.length)
}

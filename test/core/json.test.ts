import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { canonicalJson, hashDocument, type PatchOperation } from '../../src/core/documents/document.ts'
import { parseJson, stringifyJson } from '../../src/core/documents/json.ts'
import { patch } from '../../src/core/documents/patch.ts'
import { Properties } from './property.ts'

const properties = new Properties('core/json')

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
])('%s is preserved digit for digit', (text) => {
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
])('%s parses like with JSON.parse', (text, value) => {
  expect(parseJson(text)).toEqual(value as never)
  expect(stringifyJson(parseJson(text))).toBe(JSON.stringify(JSON.parse(text)))
})

test.each([
  '"\\u0000n12"',
  '["\\u0000n1e999",1e999,"\\u0000n1e999"]',
  '{"\\u0000n1":"\\u0000s","\\u0000s":"\\u0000s\\u0000n1"}',
  '["\\u0000","\\u0000\\u0000n1","\\"\\u0000n1","\\\\","\\u0000n\\"]"]',
])('strings that look like a preserved number stay strings: %s', (text) => {
  expect(stringifyJson(parseJson(text))).toBe(text)
  expect(stringifyJson(parseJson(stringifyJson(parseJson(text))))).toBe(text)
})

test('random numbers keep their value, whatever their digits', () => {
  properties.check(
    numbers(),
    (text) => {
      const [kept, plain] = [
        stringifyJson(parseJson(`[${text}]`)).slice(1, -1),
        JSON.stringify(JSON.parse(text)),
      ]
      // Either the digits themselves, or the double's own, which are the same number.
      if (kept !== text) expect([text, kept, scaled(kept)]).toEqual([text, plain, scaled(text)])
    },
    20_000,
  )
})

test('numbers that differ beyond double precision make different documents, with a patch', () => {
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

test('a member named __proto__ is like any other', () => {
  const parsed = parseJson('{"__proto__":{"polluted":1e999}}') as object
  expect(Object.keys(parsed)).toEqual(['__proto__'])
  expect('polluted' in {}).toBe(false)
})

/** Numbers as JSON writes them, of up to 50 digits and an exponent of up to three. */
function numbers(): fc.Arbitrary<string> {
  const digits = (most: number) =>
    fc.array(fc.nat(9), { minLength: 1, maxLength: most }).map((each) => each.join(''))
  return fc
    .tuple(
      fc.constantFrom('', '-'),
      digits(25).map((whole) => whole.replace(/^0+(?=\d)/, '')),
      fc.oneof(
        fc.constant(''),
        digits(25).map((fraction) => `.${fraction}`),
      ),
      fc.oneof(
        fc.constant(''),
        fc.tuple(fc.constantFrom('e', 'E-', 'e+'), digits(3)).map((exponent) => exponent.join('')),
      ),
    )
    .map((parts) => parts.join(''))
}

/** The number times ten to the 1,100th, exactly. */
function scaled(text: string): bigint {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  return BigInt(whole + fraction) * 10n ** BigInt(1_100 + Number(exponent) - fraction.length)
}

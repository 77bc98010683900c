import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Json } from '../../src/core/documents/document.ts'
import { parseJson } from '../../src/core/documents/json.ts'
import { compileCondition, type Operator } from '../../src/core/judging/condition.ts'
import {
  compilePattern,
  MAX_MATCHED_CHARS,
  MAX_PATTERN_CHARS,
  PatternError,
} from '../../src/core/judging/pattern.ts'
import { Properties } from './property.ts'

const properties = new Properties('pattern.test.ts')
const ATOMS = ['a', 'b', '1', '.', '[ab]', '[^a]', '[a-z_]', '\\d', '\\w', '\\s', '\\D', '\\S', '\\.', 'é']
const REPEATS = fc.constantFrom('', '', '', '*', '+', '?')

test('it finds what RegExp finds', () => {
  let found = 0
  const text = fc.array(fc.constantFrom(...'aab1_ \n-é'), { maxLength: 8 }).map((each) => each.join(''))
  const inputs = fc.record({ source: patterns(), texts: fc.array(text, { minLength: 1, maxLength: 5 }) })
  const check = ({ source, texts }: { source: string; texts: string[] }) => {
    const pattern = compilePattern(source)
    const native = new RegExp(source, 'u')
    for (const sample of texts) {
      const expected = native.test(sample)
      expect(pattern.test(sample)).toBe(expected)
      if (expected) found++
    }
  }
  properties.check(inputs, check, 3_000)
  expect(found).toBeGreaterThan(1_000)
})

test('only the first 10,000 characters of a text count', () => {
  const pattern = compilePattern('b')
  expect(pattern.test(`${'a'.repeat(9_999)}b`)).toBe(true)
  expect(pattern.test(`${'a'.repeat(10_000)}b`)).toBe(false)
})

test('patterns that make backtracking engines hang take no time', () => {
  const text = 'a'.repeat(MAX_MATCHED_CHARS)
  for (const source of ['(a+)+$b', '(a|a)*b', '(a*)*b', '^(([a-z])+.)+[A-Z]([a-z])+$', 'a*a*a*a*a*a*a*a*b']) {
    expect(compilePattern(source).test(text)).toBe(false)
  }
  expect(compilePattern('(a|aa)+$').test(text)).toBe(true)
})

test.each([
  '(',
  ')',
  '[a',
  '*a',
  'a**',
  'a{2,1}',
  'a{1001}',
  '[ab]{900}',
  '((a{20}){20}){3}',
  '(?=a)',
  '(?<!a)b',
  '\\1',
  '\\',
  '[z-a]',
  '\\k<n>',
  'a'.repeat(201),
])('%p is rejected with a message', (source) => {
  expect(() => compilePattern(source)).toThrow(PatternError)
})

test('a program of any pattern without {n,m} is within the bound', () => {
  for (const unit of ['()', '()*', '(a|)*', '^*', '$*', '()|', '(|)', 'a?', '(a)?']) {
    const source = unit.repeat(Math.floor(MAX_PATTERN_CHARS / unit.length))
    expect(() => compilePattern(source)).not.toThrow()
  }
})

test.each<[source: string, text: string, found: boolean]>([
  ['^\\d{3}$', '503', true],
  ['^\\d{3}$', '5033', false],
  ['(?i)down', 'DOWN', true],
  ['\\bup\\b', 'startup', false],
  ['^a.*?b', 'a--b', true],
  ['\\p{Greek}', 'λ', true],
  ['[[:digit:]]', 'a1', true],
  // Unlike in JavaScript: only \n ends a line, and \s is ASCII.
  ['a.b', 'a\rb', true],
  ['a.b', 'a\nb', false],
  ['a\\sb', 'a\u00a0b', false],
])('%p in %p: %p', (source, text, found) => {
  expect(compilePattern(source).test(text)).toBe(found)
})

test('what is wrong with a pattern is said in a sentence', () => {
  expect(() => compilePattern('a(b')).toThrow('RE2 reports: missing closing ): `a(b`.')
  expect(() => compilePattern('a{500}')).toThrow('use smaller numbers in {n,m}')
})

test.each<[document: string, pointer: string, Operator, value: Json | undefined, holds: boolean]>([
  ['{"a":null}', '/a', 'exists', undefined, true],
  ['{"a":null}', '/b', 'exists', undefined, false],
  ['[1]', '/1', 'absent', undefined, true],
  ['{"a":{"x":1,"y":2}}', '/a', 'equals', { y: 2, x: 1 }, true],
  ['{"a":1}', '/a', 'equals', '1', false],
  ['{}', '/a', 'equals', null, false],
  ['{}', '/a', 'notEquals', 1, true],
  ['{"a":5}', '/a', 'above', 4.5, true],
  ['{"a":"5.5"}', '/a', 'above', 5, true],
  ['{"a":"x"}', '/a', 'above', 5, false],
  ['{"a":""}', '/a', 'below', 5, false],
  ['{"a":[]}', '/a', 'below', 5, false],
  ['{"a":12345678901234567890}', '/a', 'above', 1, true],
  ['{"a":12345678901234567890}', '/a', 'matches', '^\\d+0$', true],
  ['{"a":"down since"}', '/a', 'matches', '^(down|off)', true],
  ['{"a":["down"]}', '/a', 'matches', 'down', false],
  ['7', '', 'below', 8, true],
])('of %s, %p %s %p: %p', (document, pointer, op, value, holds) => {
  expect(compileCondition({ pointer, op, value })(parseJson(document))).toBe(holds)
})

/** Patterns that both know. */
function patterns(): fc.Arbitrary<string> {
  const joined = (parts: fc.Arbitrary<string[]>, separator: string) =>
    parts.map((each) => each.join(separator))
  const { pattern } = fc.letrec<Record<'pattern' | 'sequence' | 'repeated' | 'group', string>>((tie) => ({
    pattern: joined(fc.array(tie('sequence'), { minLength: 1, maxLength: 2 }), '|'),
    sequence: joined(fc.array(tie('repeated'), { maxLength: 3 }), ''),
    repeated: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom('^', '$'),
      fc
        .tuple(fc.oneof({ maxDepth: 3 }, fc.constantFrom(...ATOMS), tie('group')), REPEATS)
        .map((parts) => parts.join('')),
    ),
    group: fc.tuple(fc.constantFrom('', '?:'), tie('pattern')).map(([start, inner]) => `(${start}${inner})`),
  }))
  return pattern.filter((source) => source.length <= MAX_PATTERN_CHARS)
}

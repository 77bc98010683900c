import { expect, test } from 'bun:test'
import { BinaryReader, type WireType } from '@bufbuild/protobuf/wire'
import { randomFor } from '../../../src/sim/random.ts'
import { instrument } from './instrument.ts'
import { choiceOf } from './structures/choice.ts'
import { changedJson } from './structures/json.ts'
import { changedProtobuf } from './structures/protobuf.ts'
import { changedTokens } from './structures/tokens.ts'
import { PARSERS, type ParserName, plantsOf } from './targets.ts'

const CHANGES = 500
const choice = () => choiceOf(randomFor(7, 'structures'), { words: ['alpha', '"', '\n'], numbers: [300] })
/** A field 1 with a message of two fields, and a varint in field 2. */
const MESSAGE = '\x0a\x07\x0a\x03abc\x10\x05\x10\x96\x01'

/** Every step from one input to the next. */
function chain(first: string, change: (text: string) => string | undefined): string[] {
  const texts = [first]
  for (let at = 0; at < CHANGES; at++)
    texts.push(change((at % 10 === 0 ? first : texts.at(-1)) ?? first) ?? first)
  return texts
}

test('a changed message of protobuf keeps true lengths, at any depth', () => {
  const one = choice()
  const texts = chain(MESSAGE, (text) => changedProtobuf(text, MESSAGE, one))
  const numbers = texts.map((text) => {
    const reader = new BinaryReader(Buffer.from(text, 'latin1'))
    let fields = 0
    for (; reader.pos < reader.len; fields++) {
      const [number, type] = reader.tag()
      reader.skip(type as WireType, number)
    }
    return fields
  })
  expect(new Set(texts).size).toBeGreaterThan(CHANGES / 4)
  expect(Math.max(...numbers)).toBeGreaterThan(2)
  expect(texts.some((text) => text.includes('alpha'))).toBe(true)
  expect(changedProtobuf('\x0a\xff', '', one)).toBeUndefined()
})

test('a changed JSON text is JSON, and may have a member called __proto__', () => {
  const one = choice()
  const texts = chain('{"a":[1,{"b":"c"}]}', (text) => changedJson(text, '{"__proto__":[2]}', one))
  for (const text of texts) expect(() => JSON.parse(text)).not.toThrow()
  expect(new Set(texts).size).toBeGreaterThan(CHANGES / 4)
  expect(texts.some((text) => text.includes('__proto__'))).toBe(true)
  expect(changedJson('{', '', one)).toBeUndefined()
})

test('a token is replaced whole', () => {
  const one = choice()
  const texts = Array.from({ length: CHANGES }, () => changedTokens('first=second; third', 'x', one))
  expect(texts).toContain('alpha=second; third')
  expect(texts).toContain('first=second; alpha')
})

test('instrumented code does the same, evaluates operands once, and reports how near they came', async () => {
  const code =
    'let n = 0; const f = () => ++n; const r = [f() < 2, f() === 2, "ab" !== "ac", f() >= f()]; export default r'
  const { code: changed, comparisons } = instrument(code, 0, 10)
  const sites: number[] = []
  const compare = (site: number, a: never, operator: string, b: never) => {
    sites.push(site)
    return { '<': a < b, '===': a === b, '!==': a !== b, '>=': a >= b }[operator]
  }
  Object.assign(globalThis, { __branches: new Uint8Array(9), __compare: compare })
  const { default: result } = await import(`data:text/javascript,${encodeURIComponent(changed)}`)
  expect(result).toEqual([true, true, true, false])
  expect(comparisons).toBe(4)
  expect(new Set(sites)).toEqual(new Set([10, 11, 12, 13]))
})

test('every fault can be planted: its place is in one module, once', async () => {
  const root = `${import.meta.dir}/../../..`
  const globs = ['src/**/*.ts', 'node_modules/eventsource-parser/dist/*.js']
  const paths = globs.flatMap((glob) => [...new Bun.Glob(glob).scanSync({ cwd: root, absolute: true })])
  const missing: string[] = []
  for (const name of Object.keys(PARSERS) as ParserName[]) {
    for (const { file, find } of plantsOf(name)) {
      const places = paths.filter((path) => PARSERS[name].files.test(path) && file.test(path))
      const texts = await Promise.all(places.map((path) => Bun.file(path).text()))
      if (texts.length !== 1 || texts[0]?.split(find).length !== 2)
        missing.push(`${name}: ${find} (${places})`)
    }
  }
  expect(missing).toEqual([])
})

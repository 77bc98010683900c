import { describe, expect, test } from 'bun:test'
import { one, read } from './operations.ts'

describe('parameters', () => {
  test.each<[what: string, parameter: object, path: string, url: string]>([
    ['simple', { in: 'path', example: ['x', 'y'] }, '/{p}', '/x,y'],
    ['simple object', { in: 'path', example: { a: 1, b: 2 } }, '/{p}', '/a,1,b,2'],
    ['exploded object', { in: 'path', explode: true, example: { a: 1, b: 2 } }, '/{p}', '/a=1,b=2'],
    ['label', { in: 'path', style: 'label', explode: true, example: ['x', 'y'] }, '/{p}', '/.x.y'],
    ['matrix', { in: 'path', style: 'matrix', example: ['x', 'y'] }, '/{p}', '/;p=x,y'],
    [
      'exploded matrix',
      { in: 'path', style: 'matrix', explode: true, example: ['x', 'y'] },
      '/{p}',
      '/;p=x;p=y',
    ],
    ['form', { in: 'query', example: ['x', 'y'] }, '/a', '/a?p=x&p=y'],
    ['form in one', { in: 'query', explode: false, example: ['x', 'y'] }, '/a', '/a?p=x,y'],
    ['form object', { in: 'query', example: { a: 1, b: 2 } }, '/a', '/a?a=1&b=2'],
    ['pipes', { in: 'query', style: 'pipeDelimited', explode: false, example: [1, 2] }, '/a', '/a?p=1|2'],
    ['false', { in: 'query', example: false }, '/a', '/a?p=false'],
    ['half a character', { in: 'query', example: '\ud800' }, '/a', '/a?p=%EF%BF%BD'],
    ['$ in a value', { in: 'path', example: '$&' }, '/{p}', '/%24%26'],
  ])('%s', (_what, parameter, path, url) => {
    const parameters = [{ name: 'p', required: true, ...parameter }]
    expect(one({ parameters }, {}, {}, path).url).toBe(`https://h${url}`)
  })

  test('an operation’s own takes precedence over its path’s', () => {
    const parameter = (example: string) => ({ name: 'p', in: 'query', required: true, example })
    const item = { parameters: [parameter('path')], get: { parameters: [parameter('own')] } }
    const [line] = read({ openapi: '3.0.0', servers: [{ url: 'https://h' }], paths: { '/a': item } })
    expect(line?.url).toBe('https://h/a?p=own')
  })

  test.each<[what: string, schema: unknown]>([
    ['nothing', undefined],
    ['no value', { type: 'string' }],
    ['an empty text', { default: '' }],
    ['great depth', nested(200)],
    ['great width', nested(20, 20)],
    ['a schema that holds itself', circular()],
    ['a list that holds itself', { default: Bun.YAML.parse('&a [*a]') }],
  ])('%s has no value', (_what, schema) => {
    const parameters = [{ name: 'p', in: 'path', required: true, schema }]
    expect(one({ parameters }, {}, {}, '/{p}')).toMatchObject({ field: 'p', detail: expect.any(String) })
  })

  test('an undescribed part of the path is required', () => {
    expect(one({}, {}, {}, '/{p}').field).toBe('p')
    expect(one({}, {}, { params: new Map([['p', 'a/b']]) }, '/{p}').url).toBe('https://h/a%2Fb')
  })
})

/** A value far below, each schema on the way being there several times. */
function nested(depth: number, times = 1): object {
  const inner = depth === 0 ? { default: 1 } : nested(depth - 1, times)
  return depth === 0 && times > 1 ? {} : { anyOf: Array(times).fill(inner) }
}

function circular(): unknown {
  const schema: Record<string, unknown> = {}
  schema.allOf = [schema]
  return schema
}

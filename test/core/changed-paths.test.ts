import { expect, test } from 'bun:test'
import { changedPaths } from '../../src/core/documents/changed-paths.ts'
import { diff } from '../../src/core/documents/diff.ts'
import type { Json, PatchOperation } from '../../src/core/documents/document.ts'

const FROM = { rows: [{ id: 1, v: 1, tags: ['a'] }], '0': { '1': 'x' }, 'a/b': { 'm~n': 1 } }

test.each<[string, Json, string[]]>([
  ['a member', { ...FROM, '0': { '1': 'y' } }, ['/0/1']],
  ['a member of a row', { ...FROM, rows: [{ id: 1, v: 2, tags: ['a'] }] }, ['/rows/*/v']],
  ['rows that come', { ...FROM, rows: [{ id: 5 }, { id: 6 }, ...FROM.rows] }, ['/rows/*']],
  ['an item in a row', { ...FROM, rows: [{ id: 1, v: 1, tags: ['a', 'b'] }] }, ['/rows/*/tags/*']],
  [
    'an item in a row that another one came before',
    { ...FROM, rows: [{ id: 5 }, { id: 6 }, { id: 1, v: 2, tags: ['a', 'b'] }] },
    ['/rows/*', '/rows/*/v', '/rows/*/tags/*'],
  ],
  ['an item in a row that goes', { ...FROM, rows: [] }, ['/rows/*']],
  ['keys to escape', { ...FROM, 'a/b': { 'm~n': 2 } }, ['/a~1b/m~0n']],
])('the paths that change: %s', (_what, to, paths) => {
  expect(changedPaths(diff(FROM, to), FROM, to)).toEqual(paths)
})

test.each<[string, PatchOperation, string[]]>([
  ['a move, where from and where to', { op: 'move', from: '/rows/0', path: '/0/2' }, ['/0/2', '/rows/*']],
  ['the end of an array', { op: 'add', path: '/rows/0/tags/-', value: 'z' }, ['/rows/*/tags/*']],
  ['the whole', { op: 'replace', path: '', value: 1 }, ['']],
  ['nothing, by a test', { op: 'test', path: '/rows', value: 1 }, []],
])("of an upstream's own operations: %s", (_what, operation, paths) => {
  expect(changedPaths([operation], FROM, FROM)).toEqual(paths)
})

test('at most 20 paths are told, and of a long one what is above it', () => {
  const many = Array.from({ length: 30 }, (_, n): PatchOperation => ({ op: 'add', path: `/m${n}`, value: 1 }))
  expect(changedPaths(many, {}, {})).toEqual(many.slice(0, 20).map(({ path }) => path))
  const [long, deep] = [`/${'x'.repeat(150)}`, `/${'y'.repeat(48)}`]
  const path = long + deep
  expect(changedPaths([{ op: 'add', path, value: 1 }], {}, {})).toEqual([path])
  expect(changedPaths([{ op: 'add', path: `${path}y`, value: 1 }], {}, {})).toEqual([long])
})

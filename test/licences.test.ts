import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { EXPLAINED, isPermissive, licences, licencesPage } from '../ops/licences.ts'

test('every package that comes with Weir is permissive, or it is said why it may come', () => {
  const all = licences()
  expect(all.length).toBeGreaterThan(50)
  const others = new Set(all.filter(({ licence }) => !isPermissive(licence)).map(({ name }) => name))
  expect([...others].sort()).toEqual(Object.keys(EXPLAINED).sort())
})

test('docs/licences.md is what `bun run licences` writes', async () => {
  expect(await Bun.file(join(import.meta.dir, '../docs/licences.md')).text()).toBe(licencesPage(licences()))
})

test.each([
  ['MIT', true],
  ['(MPL-2.0 OR Apache-2.0)', true],
  ['MIT AND BSD-3-Clause', true],
  ['MIT AND GPL-3.0-only', false],
  ['EPL-2.0 OR GPL-3.0-or-later', false],
  ['unknown', false],
])('%s: %p', (licence, expected) => {
  expect(isPermissive(licence)).toBe(expected)
})

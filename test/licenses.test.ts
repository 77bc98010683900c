import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { EXPLAINED, isPermissive, licenses, licensesPage } from '../ops/licenses.ts'

test('every shipped package has a permissive license, or an explanation', () => {
  const all = licenses()
  expect(all.length).toBeGreaterThan(50)
  const others = new Set(all.filter(({ license }) => !isPermissive(license)).map(({ name }) => name))
  expect([...others].sort()).toEqual(Object.keys(EXPLAINED).sort())
})

test('docs/licenses.md is what `bun run licenses` writes', async () => {
  expect(await Bun.file(join(import.meta.dir, '../docs/licenses.md')).text()).toBe(licensesPage(licenses()))
})

test.each([
  ['MIT', true],
  ['(MPL-2.0 OR Apache-2.0)', true],
  ['MIT AND BSD-3-Clause', true],
  ['MIT AND GPL-3.0-only', false],
  ['EPL-2.0 OR GPL-3.0-or-later', false],
  ['unknown', false],
])('%s: %p', (license, expected) => {
  expect(isPermissive(license)).toBe(expected)
})

import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { mutate } from './copy.ts'
import { MISTAKES } from './table/index.ts'

const ROOT = join(import.meta.dir, '../..')

test('every mistake can be made in the code as it is, and its tests exist', async () => {
  const stale: string[] = []
  for (const mistake of MISTAKES) {
    try {
      const text = await Bun.file(join(ROOT, mistake.file)).text()
      if (mutate(text, mistake) === text) stale.push(`${mistake.name} changes nothing`)
    } catch (error) {
      stale.push(`${mistake.name}: ${(error as Error).message}`)
    }
    for (const path of mistake.tests) {
      if (!existsSync(join(ROOT, path))) stale.push(`${mistake.name}: ${path} doesn't exist`)
    }
    if (mistake.tests.length === 0) stale.push(`${mistake.name} has no tests`)
  }
  expect(stale).toEqual([])
})

test('every mistake has a name of its own', () => {
  const names = MISTAKES.map(({ name }) => name)
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([])
})

test('a mistake whose text is missing, or there twice, can’t be made', () => {
  const mistake = { file: 'a.ts', find: 'x < y', replace: 'x <= y' }
  expect(mutate('if (x < y)', mistake)).toBe('if (x <= y)')
  expect(() => mutate('if (x > y)', mistake)).toThrow('a.ts has 0 × "x < y"')
  expect(() => mutate('x < y || x < y', mistake)).toThrow('a.ts has 2 × "x < y"')
})

import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { PostgresQueueBackend, Worker } from 'bullmq'
import { packageHome } from '../../src/files.ts'
import { READ_IN } from '../../src/queue/private.ts'

const HOME = packageHome('bullmq')
const ROOT = join(import.meta.dir, '../..')
/** Where BullMQ declares them, relative to its types. */
const MEMBERS = [
  ['postgres/postgres-queue-backend.d.ts', 'query'],
  ['postgres/postgres-queue-backend.d.ts', 'buildNextJobResult'],
  ['classes/worker.d.ts', 'drained'],
] as const

test('the private members were read in the installed version of BullMQ', async () => {
  const { version } = await Bun.file(join(HOME, 'package.json')).json()
  expect(version).toBe(READ_IN)
})

test.each(MEMBERS)('%s declares the private member %s', async (file, member) => {
  const types = await Bun.file(join(HOME, 'dist/esm', file)).text()
  expect(types).toMatch(new RegExp(`^ +private ${member};$`, 'm'))
})

test('they are what is used of them', async () => {
  const prototype = PostgresQueueBackend.prototype as unknown as Record<string, { length: number }>
  // Text and values; rows, extras and the time.
  expect(prototype.query).toHaveLength(2)
  expect(prototype.buildNextJobResult).toHaveLength(3)
  const worker = await Bun.file(join(HOME, 'dist/esm/classes/worker.js')).text()
  expect(worker).toContain('this.drained = false')
})

test('what is overridden is there to be overridden', () => {
  expect(Worker.prototype).toHaveProperty('processJob', expect.any(Function))
  expect(Worker.prototype).toHaveProperty('moveToActive', expect.any(Function))
  expect(PostgresQueueBackend.prototype).toHaveProperty('moveToActive', expect.any(Function))
  expect(PostgresQueueBackend.prototype).toHaveProperty('moveJobFromActiveToWait', expect.any(Function))
})

test('one file touches private members', async () => {
  const files = ['src/queue/*.ts', 'jobs/*.ts'].flatMap((each) => [...new Bun.Glob(each).scanSync(ROOT)])
  expect(files.length).toBeGreaterThan(10)
  const touching = await Promise.all(
    files.map(async (file) => [file, await Bun.file(join(ROOT, file)).text()] as const),
  )
  const brackets = /\b[a-z]\w*\['\w+'\]|\bas any\b/
  expect(touching.filter(([, code]) => brackets.test(code)).map(([file]) => file)).toEqual([
    'src/queue/private.ts',
  ])
  const [, code = ''] = touching.find(([file]) => file === 'src/queue/private.ts') ?? []
  const touched = [...code.matchAll(/\b[a-z]\w*\['(\w+)'\]/g)].map(([, member]) => member)
  expect(touched.sort()).toEqual(MEMBERS.map(([, member]) => member).sort())
})

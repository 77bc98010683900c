import { afterAll, beforeAll, expect, test } from 'bun:test'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { Subscriber } from './subscriber.ts'

let upstream: Upstream
let weir: TestWeir
beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir()
})
afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

/** Too large to be put together on the thread that sends it. */
const document = (version: number) => ({ version, text: 'x'.repeat(200_000), list: [version, version] })

test('large documents arrive in order, for current and later subscribers', async () => {
  let version = 1
  const url = upstream.on('/large', () => Response.json(document(version)))
  const subscribe = (query: string) => new Subscriber(`${weir.url}/proxy/${url}?intervalMs=500${query}`)
  const [patched, whole] = [subscribe(''), subscribe('&mode=snapshot-only')]
  await Promise.all([patched.got('data'), whole.got('data')])
  while (version < 4) {
    version++
    await until('the patch arrives', () => Bun.deepEquals(patched.document, document(version)))
  }
  await until('the last document arrives', () =>
    Bun.deepEquals(whole.messages.at(-1)?.data, document(version)),
  )
  const versions = whole.messages.map(({ data }) => (data as { version: number }).version)
  expect(versions).toEqual(versions.toSorted((a, b) => a - b))
  expect(new Set(whole.events)).toEqual(new Set(['data']))
  const late = subscribe('')
  const first = await late.got('data')
  expect(first.data).toEqual(document(version))
  expect(first.id).toBe(patched.messages.at(-1)?.id as string)
  for (const subscriber of [patched, whole, late]) subscriber.leave()
})

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

let weir: TestWeir

beforeAll(async () => {
  weir = await startTestWeir()
})

afterAll(async () => {
  await weir.close()
})

test.each(['/streams/a%F0%9F%9', '/api/streams/%', '/api/streams/%E0%A4%A/logs', '/channels/%FF'])(
  'a path with broken percent-encoding is no such path: %p',
  async (path) => {
    const answer = await weir.get(path)
    expect(answer.status).toBe(404)
    expect(weir.warnings).toEqual([])
  },
)

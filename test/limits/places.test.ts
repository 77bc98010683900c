import { expect, test } from 'bun:test'
import { Semaphore } from '../../src/limits/semaphore.ts'
import { streamed } from '../../src/routes/http/streamed.ts'

test('a number of calls run, some wait in line, and others are refused', async () => {
  const places = new Semaphore({ what: 'exports', atOnce: 1, waiting: 1 })
  const order: string[] = []
  const leave = await places.enter()
  const second = places.run(async () => void order.push('second'))
  await expect(places.enter()).rejects.toMatchObject({ code: 'too_many' })
  expect(order).toEqual([])
  leave()
  leave()
  await second
  expect(order).toEqual(['second'])
  expect(places.taken).toBe(0)
})

test('failed work releases its slot', async () => {
  const places = new Semaphore({ what: 'exports', atOnce: 1 })
  await expect(places.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  expect(places.taken).toBe(0)
})

test('one holder has a limited number of slots, and others have room', async () => {
  const places = new Semaphore({ what: 'imports', atOnce: 3, atOnceEach: 1 })
  const leave = await places.enter('a')
  await expect(places.enter('a')).rejects.toMatchObject({
    ...{ code: 'too_many', detail: expect.stringContaining('Your limit of') },
  })
  expect(places.taken).toBe(1)
  const others = [await places.enter('b'), await places.enter()]
  // Who finds no place at all holds none either.
  await expect(places.enter('c')).rejects.toMatchObject({ code: 'too_many' })
  for (const each of [leave, leave, ...others]) each()
  expect(places.taken).toBe(0)
  for (const holder of ['a', 'b', 'c']) (await places.enter(holder))()
})

async function* parts(fails = false) {
  yield 'a'
  if (fails) throw new Error('broken')
  yield 'b'
}

test.each(['read', 'left', 'broken'])('a body that was %s has ended', async (how) => {
  let ended = 0
  const body = streamed(parts(how === 'broken'), () => void ended++)
  const reader = body.getReader()
  await reader.read()
  if (how === 'left') await reader.cancel()
  else await new Response(drained(reader)).text().catch(() => {})
  expect(ended).toBeGreaterThan(0)
})

function drained(reader: ReadableStreamDefaultReader<Uint8Array>): ReadableStream {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
  })
}

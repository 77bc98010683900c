import { expect, test } from 'bun:test'
import { faultLog } from '../../src/queue/fault-log.ts'

test('a fault that lasts is logged now and then, another one at once', () => {
  const said: string[] = []
  let now = 0
  const log = faultLog(
    (message) => void said.push(message),
    () => now,
  )
  for (; now < 10_000; now += 10) log(new Error('starting up'))
  log(new Error('away'))
  expect(said).toEqual([
    "The queue of jobs doesn't respond: starting up",
    "The queue of jobs doesn't respond: starting up",
    "The queue of jobs doesn't respond: away",
  ])
})

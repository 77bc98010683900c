import { expect, test } from 'bun:test'
import { fuzzDoor } from './door.ts'
import { fuzz } from './fuzz.ts'

const SECONDS = 3

test('malformed requests and answers bring no 500, no crash, no growth and no damaged entry', async () => {
  const seed = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`fuzz: WEIR_SEED=${seed}`)
  const { faults, requests, upstreamAnswers } = await fuzz({ seed, seconds: SECONDS, tell: () => {} })
  expect(faults).toEqual([])
  expect(requests).toBeGreaterThan(20)
  expect(upstreamAnswers).toBeGreaterThan(0)
})

test('no host, target, method or key lets in who may not, and what was changed is recorded', async () => {
  const seed = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`door: WEIR_SEED=${seed}`)
  const { faults, requests } = await fuzzDoor({ seed, seconds: SECONDS })
  expect(faults).toEqual([])
  expect(requests).toBeGreaterThan(20)
})

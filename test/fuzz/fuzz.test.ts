import { expect, test } from 'bun:test'
import { fuzzDoor } from './door.ts'
import { fuzz } from './fuzz.ts'

const SECONDS = 3

test('malformed requests and responses cause no 500, crash, growth or damaged entry', async () => {
  const seed = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`fuzz: WEIR_SEED=${seed}`)
  const { faults, requests, upstreamAnswers } = await fuzz({ seed, seconds: SECONDS, tell: () => {} })
  expect(faults).toEqual([])
  expect(requests).toBeGreaterThan(20)
  expect(upstreamAnswers).toBeGreaterThan(0)
})

test('no host, target, method or key grants unauthorized access, and changes are recorded', async () => {
  const seed = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`door: WEIR_SEED=${seed}`)
  const { faults, requests } = await fuzzDoor({ seed, seconds: SECONDS })
  expect(faults).toEqual([])
  expect(requests).toBeGreaterThan(20)
})

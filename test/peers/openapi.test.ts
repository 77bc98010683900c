import { afterAll, beforeAll, expect, test } from 'bun:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

let weir: TestWeir

beforeAll(async () => {
  weir = await startTestWeir()
})

afterAll(() => weir.close())

test('the API’s description is valid OpenAPI 3.1', async () => {
  const document = await weir.json<Record<string, unknown>>('/openapi/json')
  const validator = new Validator()
  const { valid, errors } = await validator.validate(document)
  expect(errors ?? []).toEqual([])
  expect(valid).toBe(true)
  expect(validator.version).toBe('3.1')
})

test('the validator refuses what is no description', async () => {
  const document = await weir.json<Record<string, unknown>>('/openapi/json')
  expect((await new Validator().validate({ ...document, info: { title: 'No version' } })).valid).toBe(false)
})

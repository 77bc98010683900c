import { expect, test } from 'bun:test'
import { excerptOf, failureSentence, failureText } from '../../src/core/judging/failure.ts'

test.each([
  ['{"error":"missing X-Api-Key"}\n', '{"error":"missing X-Api-Key"}'],
  [' two\r\n\tlines\0\u001b[31m ', 'two lines [31m'],
  ['x'.repeat(201), `${'x'.repeat(200)}…`],
  [`${'x'.repeat(199)}😀`, `${'x'.repeat(199)}\uFFFD…`],
  ['<!DOCTYPE html><title>502</title><style>a{}</style><h1>Bad <b>Gateway</b></h1>', '502 Bad Gateway'],
  [`<html><script>${'x'.repeat(5_000)}`, ''],
  [`<html>a ${'<'.repeat(3)}`, 'a <<'],
  ['', ''],
])('%p in one line is %p', (body, line) => {
  expect(excerptOf(body)).toBe(line)
})

test('an error tells what the upstream said', () => {
  const message = 'The upstream returned 401 Unauthorized.'
  expect(failureText({ message })).toBe(message)
  expect(failureSentence({ code: 'bad_status', message, body: '{"error":"no key"}' })).toBe(
    'The upstream returned 401 Unauthorized: {"error":"no key"}',
  )
  expect(failureSentence({ code: 'x' })).toBeUndefined()
  expect(failureSentence('x')).toBeUndefined()
})

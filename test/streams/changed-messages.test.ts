import { expect, test } from 'bun:test'
import { HIDDEN } from '../../src/core/hidden.ts'
import { Problem } from '../../src/errors.ts'
import { changedHeaders } from '../../src/streams/registry/changed-headers.ts'

const STREAM = {
  url: 'wss://a.test/feed',
  headers: {},
  messages: { first: 'token', resume: 'after {lastEventId}', idPointer: '/id' },
}
const HIDDEN_MESSAGES = { first: HIDDEN, resume: HIDDEN, idPointer: '/id' }

test('a placeholder keeps a text within the origin, and drops it for another', () => {
  expect(changedHeaders(STREAM, { messages: HIDDEN_MESSAGES })).toEqual({
    messages: STREAM.messages,
    droppedHeaders: [],
  })
  const elsewhere = { url: 'wss://b.test/feed', messages: HIDDEN_MESSAGES }
  expect(changedHeaders(STREAM, elsewhere)).toEqual({
    headers: {},
    messages: { idPointer: '/id' },
    droppedHeaders: ['messages.first', 'messages.resume'],
  })
})

test('another origin drops texts that aren’t given again, and keeps those that are', () => {
  expect(changedHeaders(STREAM, { url: 'ws://a.test/feed' })).toMatchObject({
    messages: { idPointer: '/id' },
  })
  const messages = { first: 'another token' }
  expect(changedHeaders(STREAM, { url: 'wss://b.test/', messages })).toMatchObject({
    messages,
    droppedHeaders: [],
  })
})

test('messages can be removed, and stay if they aren’t mentioned', () => {
  expect(changedHeaders(STREAM, { messages: null })).toEqual({ messages: null, droppedHeaders: [] })
  expect(changedHeaders(STREAM, { url: 'wss://a.test/other' })).toEqual({ droppedHeaders: [] })
})

test('a placeholder of what there isn’t is refused', () => {
  const change = () => changedHeaders(STREAM, { messages: { init: HIDDEN } })
  expect(change).toThrow(Problem)
  expect(change).toThrow('no stored value for messages.init')
})

import { expect, test } from 'bun:test'
import { type Condition, compileCondition } from '../../src/core/judging/condition.ts'

const DOCUMENT = { price: 24.9, text: ' 30 ', name: 'Item 18', none: null, list: [1] }

test.each<[Omit<Condition, 'pointer'>, string, boolean]>([
  [{ op: 'exists' }, '/none', true],
  [{ op: 'exists' }, '/missing', false],
  [{ op: 'absent' }, '/missing', true],
  [{ op: 'absent' }, '/none', false],
  [{ op: 'equals', value: null }, '/none', true],
  [{ op: 'equals', value: null }, '/missing', false],
  [{ op: 'equals', value: [1] }, '/list', true],
  [{ op: 'notEquals', value: [1] }, '/list', false],
  [{ op: 'notEquals', value: null }, '/missing', true],
  [{ op: 'above', value: 24 }, '/price', true],
  [{ op: 'above', value: 24.9 }, '/price', false],
  [{ op: 'above', value: 25 }, '/price', false],
  [{ op: 'below', value: 25 }, '/price', true],
  [{ op: 'below', value: 24.9 }, '/price', false],
  [{ op: 'above', value: 29 }, '/text', true],
  [{ op: 'above', value: 0 }, '/missing', false],
  [{ op: 'below', value: 0 }, '/missing', false],
  [{ op: 'above', value: 0 }, '/none', false],
  [{ op: 'below', value: 9 }, '/list', false],
  [{ op: 'matches', value: '^Item [0-9]+$' }, '/name', true],
  [{ op: 'matches', value: '^Item$' }, '/name', false],
  [{ op: 'matches', value: '^24' }, '/price', true],
  [{ op: 'matches', value: 'null' }, '/none', false],
])('%p at %p is %p', (condition, pointer, expected) => {
  expect(compileCondition({ ...condition, pointer })(DOCUMENT)).toBe(expected)
})

import { expect, test } from 'bun:test'
import { Waiting } from '../../src/topology/stored/waiting.ts'

const NOW = 1_000_000

function open() {
  const waiting = new Waiting<number>((older, newer) => older + newer)
  const written: number[][] = []
  const write = async (rows: number[]) => void written.push(rows)
  return { waiting, written, write }
}

test('what could not be written waits, together with what came meanwhile', async () => {
  const { waiting, written, write } = open()
  waiting.add('a', 1, false)
  const failed = waiting.write(NOW, false, async () => {
    waiting.add('a', 2, false)
    throw new Error('away')
  })
  expect(await failed.catch(({ message }) => message)).toBe('away')
  waiting.add('a', 4, false)
  expect(waiting.get('a')).toBe(7)
  await waiting.write(NOW, false, write)
  expect(written).toEqual([[7]])
  expect(waiting.get('a')).toBeUndefined()
})

test('what says nothing new is written once a minute, news at once, and all at the end', async () => {
  const { waiting, written, write } = open()
  const step = async (ms: number, isNews: boolean, all = false) => {
    waiting.add('a', 1, isNews)
    await waiting.write(NOW + ms, all, write)
    return written.splice(0).flat()
  }
  expect(await step(0, false)).toEqual([1])
  expect(await step(1_000, false)).toEqual([])
  expect(await step(2_000, true)).toEqual([2])
  expect(await step(61_999, false)).toEqual([])
  expect(await step(62_000, false)).toEqual([2])
  expect(await step(62_001, false, true)).toEqual([1])
})

test('what is dropped is not written', async () => {
  const { waiting, written, write } = open()
  waiting.add('a', 1, true)
  waiting.drop('a')
  await waiting.write(NOW, true, write)
  expect(written).toEqual([])
})

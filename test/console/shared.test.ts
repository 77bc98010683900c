import { describe, expect, test } from 'bun:test'
import { sharedBy } from '../../src/routes/http/shared.ts'

describe('a question that many ask', () => {
  const FOR_MS = 1_000

  function asking() {
    const read: string[] = []
    const clock = { now: 0 }
    const answer = async (asked: string) => {
      read.push(asked)
      if (asked === 'wrong') throw new Error('There is none.')
      return `${asked} at ${clock.now}`
    }
    const ask = sharedBy(answer, (asked) => asked.trim(), { now: () => clock.now, forMs: FOR_MS })
    return { ask, read, clock }
  }

  test('is read once for all who ask it alike, until that is too old', async () => {
    const { ask, read, clock } = asking()
    expect(await Promise.all([ask('a'), ask(' a'), ask('b')])).toEqual(['a at 0', 'a at 0', 'b at 0'])
    clock.now = FOR_MS - 1
    expect(await ask('a')).toBe('a at 0')
    clock.now = FOR_MS
    expect(await ask('a')).toBe(`a at ${FOR_MS}`)
    expect(read).toEqual(['a', 'b', 'a'])
  })

  test('is read anew when there was no answer', async () => {
    const { ask, read } = asking()
    await expect(ask('wrong')).rejects.toThrow('There is none.')
    await expect(ask('wrong')).rejects.toThrow('There is none.')
    expect(read).toEqual(['wrong', 'wrong'])
  })

  test('is forgotten when a hundred others were asked since', async () => {
    const { ask, read } = asking()
    await ask('first')
    for (let other = 0; other < 99; other++) await ask(`other ${other}`)
    await ask('first')
    expect(read.filter((each) => each === 'first')).toHaveLength(1)
    for (let other = 100; other < 200; other++) await ask(`other ${other}`)
    await ask('first')
    expect(read.filter((each) => each === 'first')).toHaveLength(2)
  })
})

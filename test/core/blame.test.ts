import { expect, test } from 'bun:test'
import { egressDownAt, type HostTally } from '../../src/core/judging/blame.ts'

const host = (failingAt?: number): HostTally => {
  return {
    host: 'a.test',
    total: 1,
    failing: failingAt === undefined ? 0 : 1,
    up: 0,
    lifeAt: undefined,
    failingAt,
  }
}

test.each<[what: string, failingAt: readonly (number | undefined)[], downAt: number | undefined]>([
  ['three hosts, with the last of them', [30, 10, 20], 30],
  ['eight hosts, with the fourth, whatever was down before', [1, 50, 2, 60, 3, 70, 80, 90], 50],
  ['four hosts of which one is up', [10, 20, 30, undefined], 30],
  ['too few of them', [10, 20, undefined, undefined], undefined],
])('the network of %s is down since at least half of the hosts are', (_what, failingAt, downAt) => {
  expect(egressDownAt(failingAt.map(host))).toBe(downAt)
})

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Database } from '../../src/storage/storage.ts'
import type { Topology } from '../../src/topology/topology.ts'
import { isSkipped, type OpenSetup, STORAGE_SETUPS } from '../support/setups.ts'
import { HOUR_MS, MINUTE_MS, NOON, openStored } from './stored.ts'

for (const setup of STORAGE_SETUPS) {
  describe.skipIf(isSkipped(setup))(`on ${setup.name}`, () => {
    let services: OpenSetup
    beforeAll(async () => {
      services = await setup.open()
    })
    afterAll(() => services.close())

    test('a restarted Weir shows the topology again, with its recent numbers', async () => {
      await using stored = await openStored(services)
      const first = await stored.open()
      first.report({
        services: [{ id: 'UI', name: 'Web shop', url: 'http://ui/', kind: 'service', group: 'shop' }],
        calls: [{ from: 'UI', to: 'declared' }],
      })
      first.report({ services: [{ id: 'db', kind: 'database' }] })
      first.color('UI', 'red')
      for (const status of [200, 200, 500, 200]) {
        stored.now += 1_000
        first.report({ calls: [{ from: 'UI', to: 'db', status, durationMs: status / 10 }] })
      }
      await first.tick()
      const before = first.graph()
      expect(before.calls[1]).toMatchObject({ count: 4, errors: 1, recent: { rate: 4, errorShare: 0.25 } })
      await first.close()

      const second = await stored.open()
      expect(sorted(second)).toEqual(sorted(first))
      expect(stored.warnings).toEqual([])
    })

    test('two processes add up, and each shows what the other received', async () => {
      await using stored = await openStored(services)
      const [one, two] = [await stored.open(), await stored.open()]
      one.report({ services: [{ id: 'A', name: 'Named by one' }] })
      for (let call = 0; call < 3; call++)
        one.report({ calls: [{ from: 'A', to: 'B', status: 200, durationMs: 10 }] })
      two.color('A', 'red')
      two.report({ calls: [{ from: 'A', to: 'B', status: 500, durationMs: 100 }] })
      for (const topology of [one, two, one, one, two]) await topology.tick()
      const shown = { count: 4, errors: 1, recent: { rate: 4, errorShare: 0.25 } }
      for (const topology of [one, two]) {
        expect(topology.graph().calls).toMatchObject([shown])
        expect(topology.service('A')).toMatchObject({ name: 'Named by one', color: 'red' })
      }
      one.report({
        calls: [
          { from: 'A', to: 'C', status: 200 },
          { from: 'A', to: 'B', status: 200 },
        ],
      })
      for (const topology of [one, two, one, two]) await topology.tick()
      expect(one.graph().calls[0]).toMatchObject({ count: 5, recent: { rate: 5 } })
      expect(two.graph().calls[0]).toMatchObject({ recent: { rate: 5, errorShare: 0.2 } })
      stored.now += MINUTE_MS
      expect(await one.at(NOON - 1)).toMatchObject({ services: [], calls: [] })
      expect((await one.at(NOON)).calls).toMatchObject([{ count: 5, errors: 1 }, { count: 1 }])
      const { points } = await two.timeline({ from: NOON - MINUTE_MS, to: NOON + MINUTE_MS, most: 10 })
      expect(points.map(({ calls, errors }) => [calls, errors])).toEqual([
        [0, 0],
        [6, 1],
      ])
    })

    test('fields omitted from a report stay as stored', async () => {
      await using stored = await openStored(services)
      const [one, two] = [await stored.open(), await stored.open()]
      const said = { name: 'Web shop', kind: 'queue', group: 'shop', url: 'http://a/' } as const
      one.report({ services: [{ id: 'A', ...said }] })
      one.color('A', 'red')
      await one.tick()
      two.report({ services: [{ id: 'A' }], calls: [{ from: 'A', to: 'B' }] })
      await two.tick()
      two.report({ services: [{ id: 'A', group: 'stock' }] })
      await two.tick()
      const three = await stored.open()
      for (const topology of [two, three]) {
        expect(topology.service('A')).toMatchObject({ ...said, group: 'stock', color: 'red' })
      }
    })

    test('nothing is counted twice, however often it is written', async () => {
      await using stored = await openStored(services)
      const topology = await stored.open()
      const call = () => topology.report({ calls: [{ from: 'A', to: 'B', status: 200, durationMs: 5 }] })
      call()
      for (let tick = 0; tick < 3; tick++) await topology.tick()
      call()
      await topology.tick()
      await topology.close()
      const again = await stored.open()
      expect(again.graph().calls).toMatchObject([{ count: 2, recent: { rate: 2 } }])
    })

    test('an unreachable database causes a delay, but blocks nobody', async () => {
      await using stored = await openStored(services)
      let isAway = false
      const away = new Proxy(stored.db, {
        get(db, property) {
          const value = Reflect.get(db, property)
          if (typeof value !== 'function') return value
          return isAway ? () => Promise.reject(new Error('away')) : value.bind(db)
        },
      }) as Database
      const topology = await stored.open(away)
      isAway = true
      topology.report({ services: [{ id: 'A', name: 'Aa' }], calls: [{ from: 'A', to: 'B', status: 200 }] })
      await topology.tick()
      topology.color('A', 'red')
      topology.report({ calls: [{ from: 'A', to: 'B', status: 500 }] })
      await topology.tick()
      expect(topology.graph().calls).toMatchObject([{ count: 2 }])
      expect(stored.warnings).toHaveLength(1)

      isAway = false
      await topology.tick()
      const other = await stored.open()
      expect(other.service('A')).toMatchObject({ name: 'Aa', color: 'red' })
      expect(other.graph().calls).toMatchObject([
        { count: 2, errors: 1, recent: { rate: 2, errorShare: 0.5 } },
      ])
      expect((await other.timeline({ from: NOON, to: NOON + MINUTE_MS, most: 1 })).points).toMatchObject([
        { calls: 2, errors: 1 },
      ])
    })

    test('ten thousand names don’t fill the tables', async () => {
      await using stored = await openStored(services)
      const topology = await stored.open()
      for (let batch = 0; batch < 20; batch++) {
        const calls = Array.from({ length: 500 }, (_, at) => ({
          from: 'UI',
          to: `junk-${batch}-${at}`,
          status: 200,
        }))
        topology.report({ calls })
        if (batch % 5 === 0) await topology.tick()
      }
      await topology.tick()
      expect(await stored.count('services')).toBe(500)
      expect(await stored.count('calls')).toBe(499)
      const again = await stored.open()
      expect(again.service('UI')).toBeDefined()
      expect(stored.warnings).toEqual([])
    })

    test('rows are deleted once no replay can need them', async () => {
      await using stored = await openStored(services)
      const topology = await stored.open()
      topology.report({ calls: [{ from: 'A', to: 'B', status: 200 }] })
      await topology.tick()
      stored.now += 25 * HOUR_MS - MINUTE_MS
      await topology.tick()
      expect(await stored.count('minutes')).toBe(1)
      stored.now += 2 * MINUTE_MS
      await topology.tick()
      expect([await stored.count('minutes'), await stored.count('totals')]).toEqual([0, 0])
      expect([await stored.count('calls'), await stored.count('services')]).toEqual([1, 2])
      stored.now = NOON + 49 * HOUR_MS + 1
      await topology.tick()
      expect([await stored.count('calls'), await stored.count('services')]).toEqual([0, 0])
    })
  })
}

function sorted(topology: Topology) {
  const { services, calls } = topology.graph()
  return {
    services: services.toSorted((a, b) => a.id.localeCompare(b.id)),
    calls: calls.toSorted((a, b) => a.to.localeCompare(b.to)),
  }
}

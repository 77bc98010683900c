import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Elysia } from 'elysia'
import { Problem } from '../../src/errors.ts'
import { Hub } from '../../src/hub/hub.ts'
import { requestParts } from '../../src/routes/http/part.ts'
import { topologyApi } from '../../src/routes/topology/topology-api.ts'
import type { CallTimeline } from '../../src/topology/stored/replay.ts'
import { type Snapshot, Topology } from '../../src/topology/topology.ts'
import { isSkipped, type OpenSetup, STORAGE_SETUPS } from '../support/setups.ts'
import { HOUR_MS, MINUTE_MS, NOON, openStored } from './stored.ts'

for (const setup of STORAGE_SETUPS) {
  describe.skipIf(isSkipped(setup))(`on ${setup.name}`, () => {
    let services: OpenSetup
    beforeAll(async () => {
      services = await setup.open()
    })
    afterAll(() => services.close())

    test('the graph at an instant is as it was then, for a day', async () => {
      await using stored = await openStored(services)
      const topology = await stored.open()
      const seen = new Map<number, ReturnType<typeof shape>>()
      for (let minute = 0; minute < 12; minute++) {
        for (let call = 0; call < minute; call++) {
          const [status, durationMs] = [call % 3 === 0 ? 500 : 200, (call + 1) * 10]
          topology.report({ calls: [{ from: 'A', to: minute < 6 ? 'B' : `B${minute}`, status, durationMs }] })
        }
        if (minute === 8) topology.report({ services: [{ id: 'late', kind: 'queue', group: 'shop' }] })
        // The last instant of the minute.
        stored.now = NOON + (minute + 1) * MINUTE_MS - 1
        await topology.tick()
        seen.set(stored.now, shape(topology.snapshot()))
        stored.now++
      }
      const again = await stored.open()
      for (const [at, graph] of seen) expect(shape(await again.at(at))).toEqual(graph)

      stored.now = [...seen.keys()].reduce((last, at) => Math.max(last, at)) + 24 * HOUR_MS
      await again.tick()
      const [at, graph] = [...seen].at(-1) ?? [0, undefined]
      expect(shape(await again.at(at))).toEqual(graph as ReturnType<typeof shape>)
    })

    test('an instant within a minute gives that whole minute, and the instant', async () => {
      await using stored = await openStored(services)
      const topology = await stored.open()
      stored.now = NOON + 50_000
      topology.report({ calls: [{ from: 'A', to: 'B', status: 200 }] })
      const then = await topology.at(NOON + 10_000)
      expect(then).toMatchObject({
        version: 0,
        at: '2026-03-10T12:00:10.000Z',
        services: [{ node: 'A' }, {}],
      })
      expect(then.calls).toMatchObject([{ count: 1, recent: { rate: 1, errorShare: 0 } }])
    })

    test('overlays provide their past state', async () => {
      await using stored = await openStored(services)
      const topology = await stored.open()
      const asked: number[] = []
      const service = { id: 'weir:a', name: 'a', kind: 'host', color: 'red', reportedAt: '' } as const
      topology.overlayHistory('weir', async (instant) => {
        asked.push(instant)
        return { services: [service], calls: [] }
      })
      expect((await topology.at(NOON - 5)).services).toMatchObject([service])
      expect(asked).toEqual([NOON - 5])
    })

    test('a timeline has every step, of whole minutes', async () => {
      await using stored = await openStored(services)
      const topology = await stored.open()
      for (let minute = 0; minute < 10; minute++) {
        const status = minute === 9 ? 503 : 200
        for (let call = 0; call <= minute; call++)
          topology.report({ calls: [{ from: 'A', to: 'B', status }] })
        stored.now += MINUTE_MS
      }
      const told = await topology.timeline({ from: NOON - MINUTE_MS, to: stored.now, most: 4 })
      expect([told.from, told.to, told.stepMs]).toEqual([
        '2026-03-10T11:59:00.000Z',
        '2026-03-10T12:10:00.000Z',
        3 * MINUTE_MS,
      ])
      expect(told.points).toEqual([
        { at: '2026-03-10T11:59:00.000Z', calls: 3, errors: 0 },
        { at: '2026-03-10T12:02:00.000Z', calls: 12, errors: 0 },
        { at: '2026-03-10T12:05:00.000Z', calls: 21, errors: 0 },
        { at: '2026-03-10T12:08:00.000Z', calls: 19, errors: 10 },
      ])
      expect((await topology.timeline({ from: NOON, to: stored.now, most: 1_440 })).points).toHaveLength(10)
    })

    test('the API accepts a time as ISO 8601 or in milliseconds, and has a timeline of the last day', async () => {
      await using stored = await openStored(services)
      const topology = await stored.open()
      topology.report({ calls: [{ from: 'A', to: 'B', status: 200 }] })
      stored.now += HOUR_MS
      const graphs = [String(NOON), new Date(NOON).toISOString()].map(async (at) =>
        (await ask(topology, `/api/topology?at=${at}`)).json(),
      )
      const [one, two] = await Promise.all(graphs)
      expect(one).toEqual(two)
      expect(one).toMatchObject({ at: '2026-03-10T12:00:00.000Z', calls: [{ count: 1 }] })
      const timeline = (await (
        await ask(topology, '/api/topology/timeline?points=24')
      ).json()) as CallTimeline
      expect(timeline.points.map(({ calls }) => calls)).toEqual([...Array(23).fill(0), 1])
    })

    test.each([
      ['of tomorrow', 2 * MINUTE_MS, 'must not be in the future.'],
      ['of two days ago', -48 * HOUR_MS, 'must be within the last 24 hours.'],
    ])('an instant %s is rejected', async (_, beyondMs, sentence) => {
      await using stored = await openStored(services)
      const topology = await stored.open()
      const problem = { code: 'invalid_field', field: 'at', detail: `at: ${sentence}` }
      expect(await topology.at(NOON + beyondMs).catch((error) => error)).toMatchObject(problem)
      expect(
        await topology.timeline({ from: NOON + beyondMs, to: NOON, most: 10 }).catch((error) => error),
      ).toMatchObject({
        field: 'from',
      })
    })
  })
}

test.each([
  ['/api/topology?at=yesterday', 422, 'at'],
  ['/api/topology?at=99999999999999999999', 422, 'at'],
  [`/api/topology?at=${NOON + 2 * MINUTE_MS}`, 422, 'at'],
  [`/api/topology?at=${new Date(NOON - 25 * HOUR_MS).toISOString()}`, 422, 'at'],
  ['/api/topology?when=1', 422, 'when'],
  ['/api/topology/timeline?points=0', 422, 'points'],
  ['/api/topology/timeline?points=1441', 422, 'points'],
  [`/api/topology?at=${NOON}`, 503, undefined],
  ['/api/topology/timeline', 503, undefined],
])('%s returns %p about %p if nothing is stored', async (path, status, field) => {
  const response = await ask(new Topology({ hub: new Hub(), now: () => NOON }), path)
  const problem = (await response.json()) as Record<string, unknown>
  expect([response.status, problem.field]).toEqual([status, field])
})

function ask(topology: Topology, path: string): Promise<Response> {
  const app = new Elysia()
    .onError(({ error }) => (error instanceof Problem ? error.toResponse() : undefined))
    .use(requestParts())
    .use(topologyApi({ topology }))
  return app.handle(new Request(`http://localhost${path}`))
}

/** What a replay can tell: colors and what is counted for ever aside. */
function shape({ services, calls }: Snapshot | Awaited<ReturnType<Topology['at']>>) {
  return {
    services: services.map(({ id, name, kind, group, node }) => ({ id, name, kind, group, node })).sort(byId),
    calls: calls.map(({ from, to, recent }) => ({ id: `${from} ${to}`, recent })).sort(byId),
  }
}

function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : 1
}

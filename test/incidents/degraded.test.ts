import { describe, expect, test } from 'bun:test'
import { periodOf } from '../../src/incidents/period.ts'
import { isSkipped, STORAGE_SETUPS } from '../support/setups.ts'
import { LOOK_MS, type World } from './support.ts'
import { useWorld } from './use-world.ts'

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let world: World
    useWorld(setup, (opened) => {
      world = opened
    })

    const titles = async () => (await world.told()).map(({ title }) => title)
    const degraded = (id: string, isFailing: boolean) =>
      world.set([id], 'degraded', isFailing ? {} : { failures: 0, failingSince: undefined, phase: 'open' })

    test('a degraded stream is one incident, whether its last check failed or not', async () => {
      await world.channel('ops')
      const [id = ''] = await world.add(2, (index) => `h${index}.test`)
      await world.look(2)
      for (let round = 0; round < 30; round++) {
        await degraded(id, round % 3 === 0)
        await world.look()
      }
      expect(await world.incidents()).toMatchObject([{ streamId: id, cause: 'degraded', resolvedAt: null }])
      expect(await titles()).toEqual([expect.stringMatching(/ is degraded$/)])
      await world.set([id], 'live')
      await world.look(5)
      expect(await titles()).toEqual([expect.any(String), expect.stringMatching(/^Recovered: /)])
      expect((await world.told())[1]?.message).toMatchObject({
        severity: 'resolved',
        text: expect.stringMatching(/^Degraded \d min \(12:\d\d–12:\d\d UTC\)\.$/),
      })
    })

    test('a degraded stream that is dead for a while has an incident for each, with its own time', async () => {
      await world.channel('ops')
      const [id = ''] = await world.add(2, (index) => `h${index}.test`)
      await world.look(2)
      const degradedAt = world.now
      await degraded(id, false)
      await world.look(12)
      const deadAt = world.now
      await world.set([id], 'dead')
      await world.look(12)
      const backAt = world.now
      await degraded(id, false)
      await world.look(12)
      const [first, second] = await world.incidents()
      expect([first?.cause, first?.resolvedAt, second?.cause]).toEqual(['degraded', null, 'dead'])
      expect(second?.resolvedAt?.getTime()).toBe(backAt + 2 * LOOK_MS)
      expect(second && periodOf(second, world.now)).toMatchObject({ since: deadAt, word: 'Down' })
      const endedAt = world.now
      await world.set([id], 'live')
      await world.look(3)
      const [over] = await world.incidents()
      expect(over && periodOf(over, world.now)).toMatchObject({
        ...{ since: degradedAt, until: endedAt, word: 'Degraded' },
      })
    })

    test('an outage that ends in a degraded stream ended with its first success, and not with an earlier one', async () => {
      const [id = ''] = await world.add(2, (index) => `h${index}.test`)
      await world.look(2)
      const earlierAt = world.now - 3_600_000
      const end = async (recoveredAt: number) => {
        const deadAt = world.now
        await world.set([id], 'dead')
        await world.look(6)
        await world.set([id], 'degraded', {
          ...{ failures: 0, failingSince: undefined, phase: 'open', recoveredAt },
        })
        await world.look(6)
        const outage = (await world.incidents()).findLast(({ cause }) => cause === 'dead')
        return { deadAt, period: outage && periodOf(outage, world.now) }
      }
      const first = await end(world.now + 25_000)
      expect(first.period).toMatchObject({ since: first.deadAt, until: first.deadAt + 25_000 })
      const second = await end(earlierAt)
      expect(second.period?.since).toBe(second.deadAt)
      expect(second.period?.until).toBeGreaterThan(second.deadAt)
    })

    test('a dead stream has its incident with the next evaluation, and a silent one only if it stays silent', async () => {
      const [dead = '', silent = ''] = await world.add(3, (index) => `h${index}.test`)
      await world.look(2)
      const failedAt = world.now
      await world.set([dead], 'dead', { failingSince: failedAt - 60_000 })
      await world.set([silent], 'stalled')
      await world.look()
      expect(await world.incidents()).toMatchObject([{ streamId: dead, cause: 'dead' }])
      await world.look(2)
      expect(await world.incidents()).toHaveLength(2)
      const backAt = world.now
      await world.set([dead, silent], 'live')
      await world.look(2)
      const [first] = await world.incidents()
      expect(first && periodOf(first, world.now)).toEqual({
        ...{ since: failedAt - 60_000, until: backAt, durationMs: backAt - failedAt + 60_000, word: 'Down' },
      })
    })

    test('a host is down since half of its streams were', async () => {
      const onHost = await world.add(6, () => 'one.test')
      await world.add(3, (index) => `h${index}.test`)
      await world.look(2)
      const at: number[] = []
      for (const id of onHost) {
        at.push(world.now)
        await world.set([id], 'backing-off')
        await world.look()
      }
      await world.look(6)
      const [host] = await world.incidents()
      expect(host).toMatchObject({ cause: 'host', evidence: { provenAfter: at[5] } })
      expect(host && periodOf(host, world.now).since).toBe(at[2] as number)
    })

    test('a silent stream that then is dead is one outage, from its first failure', async () => {
      const [id = ''] = await world.add(2, (index) => `h${index}.test`)
      await world.look(2)
      const silentAt = world.now
      await world.set([id], 'stalled')
      await world.look(4)
      await world.set([id], 'dead')
      await world.look(4)
      const [incident, ...others] = await world.incidents()
      expect(others).toEqual([])
      expect(incident?.cause).toBe('dead')
      expect(incident && periodOf(incident, world.now).since).toBe(silentAt)
    })
  })
})

import { describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { openIncidents } from '../../src/incidents/read.ts'
import { isSkipped, STORAGE_SETUPS } from '../support/setups.ts'
import type { World } from './support.ts'
import { useWorld } from './use-world.ts'

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let world: World
    useWorld(setup, (opened) => {
      world = opened
    })

    const told = async () =>
      (await world.told()).map(({ channel, type, title }) => `${channel} ${type} ${title}`)
    const open = async () => (await world.incidents()).filter(({ resolvedAt }) => resolvedAt === null)

    test('the network fails under 1,000 streams: one message per channel, and one on recovery', async () => {
      for (const name of ['mail', 'chat']) await world.channel(name)
      await world.channel('shop', { tags: ['shop'], isDefault: false })
      const ids = [
        ...(await world.add(700, (index) => `h${index % 40}.test`)),
        ...(await world.add(100, (index) => `single${index}.test`)),
        ...(await world.add(200, (index) => `shop${index % 5}.test`, { tags: ['shop'] })),
      ]
      await world.look(3)
      world.isConnected = false
      // They notice one after the other, by their own rhythm, and each in its own way.
      for (let part = 0; part < 10; part++) {
        const some = ids.filter((_, index) => index % 10 === part)
        await world.set(some, part % 3 === 0 ? 'stalled' : 'backing-off')
        await world.look()
        if (part % 3 === 0) world.restart()
      }
      await world.look(10)
      await world.set(ids, 'dead')
      await world.look(10)
      await world.look(30, 20_000)
      const down = ['chat', 'mail', 'shop'].map((channel) => [
        channel,
        'incident.opened',
        'Outbound network is down',
      ])
      const seen = (await world.told()).map(({ channel, type, title }) => [channel, type, title.slice(0, 24)])
      expect(seen.sort((a, b) => `${a}`.localeCompare(`${b}`))).toEqual(down)
      expect((await world.told())[0]?.message.streamCount).toBeGreaterThanOrEqual(200)
      expect(await openIncidents(world.db)).toBe(1)
      const [egress] = (await open()).filter(({ cause }) => cause === 'egress')
      const children = (await open()).filter(({ id }) => id !== egress?.id)
      expect(children.filter(({ parentId }) => parentId === null)).toEqual([])
      expect(children.filter(({ streamId }) => streamId !== null)).toHaveLength(1_000)

      world.isConnected = true
      // It comes back as it went: one by one.
      for (let part = 0; part < 10; part++) {
        await world.set(
          ids.filter((_, index) => index % 10 === part),
          'live',
        )
        await world.look(3)
      }
      await world.look(10)
      const after = await world.told()
      expect(after).toHaveLength(6)
      expect(
        after
          .slice(3)
          .map(({ channel, type }) => `${channel} ${type}`)
          .sort(),
      ).toEqual(['chat incident.resolved', 'mail incident.resolved', 'shop incident.resolved'])
      expect(await open()).toEqual([])
    }, 120_000)

    test('a host that is down is one incident; its streams are attached to it and not notified', async () => {
      await world.channel('ops')
      const host = await world.add(8, () => 'api.test:8080')
      const others = await world.add(5, () => 'other.test')
      await world.look(2)
      await world.set(host.slice(0, 6), 'stalled')
      await world.look(20)
      expect(await told()).toEqual(['ops incident.opened api.test:8080: 6 of 8 streams failing'])
      const parent = (await open()).find(({ cause }) => cause === 'host')
      expect(parent).toMatchObject({ host: 'api.test:8080', streamId: null, affected: 6 })
      const children = (await open()).filter(({ cause }) => cause === 'stalled')
      expect(children.map(({ parentId }) => parentId)).toEqual(Array(6).fill(parent?.id))
      await world.set(host.slice(6), 'stalled')
      await world.look(10)
      expect((await open()).find(({ cause }) => cause === 'host')).toMatchObject({ affected: 8 })
      await world.set([...host, ...others], 'live')
      await world.look(10)
      expect((await told()).slice(1)).toEqual(['ops incident.resolved Recovered: api.test:8080'])
      expect(await open()).toEqual([])
    })

    test.each([1, 4])(
      'a restart of Weir while %i hosts are down neither resolves nor repeats their incidents',
      async (hosts) => {
        await world.channel('ops')
        const down = await world.add(12, (index) => `h${index % hosts}.test`)
        const others = hosts === 1 ? await world.add(6, () => 'other.test') : []
        await world.set(down, 'stalled')
        await world.look(30)
        const before = await told()
        expect(before).toHaveLength(1)
        // No worker has them, then all connect, then they fail as before.
        world.restart()
        await world.db.execute(sql`UPDATE weir.states SET worker = NULL`)
        await world.look(4)
        await world.set([...down, ...others], 'quiet', { phase: 'connecting', failures: 0 })
        await world.look(8)
        await world.set(others, 'live')
        await world.set(down, 'backing-off')
        await world.look(30)
        expect(await told()).toEqual(before)
        await world.set(down, 'live')
        await world.look(10)
        expect((await told()).slice(1).map((line) => line.slice(0, 21))).toEqual(['ops incident.resolved'])
      },
    )

    test('a stream that still fails after its host recovers gets its own incident', async () => {
      await world.channel('ops')
      const host = await world.add(10, () => 'api.test')
      await world.add(5, () => 'other.test')
      await world.set(host, 'stalled')
      await world.look(20)
      await world.set(host.slice(1), 'live')
      await world.look(20)
      const later = (await told()).slice(1)
      expect(later.sort()).toEqual([
        'ops incident.opened api.test/0 is stalled',
        'ops incident.resolved Recovered: api.test',
      ])
    })

    test('two streams of a host, or a few of many, don’t make a host incident', async () => {
      await world.channel('ops')
      const two = await world.add(2, () => 'small.test')
      const many = await world.add(20, () => 'large.test')
      await world.add(5, () => 'other.test')
      await world.set([...two, ...many.slice(0, 9)], 'dead')
      await world.look(20)
      expect((await open()).map(({ cause }) => cause)).toEqual(Array(11).fill('dead'))
      expect(await told()).toHaveLength(1)
    })

    test('a host is blamed only after data from elsewhere', async () => {
      await world.channel('ops')
      const first = await world.add(4, () => 'first.test')
      const second = await world.add(4, () => 'second.test')
      const third = await world.add(4, () => 'third.test')
      await world.look(2)
      const lastHeard = world.now
      await world.set(first, 'stalled')
      // The others are polled seldom: nothing says yet whether they can still be reached.
      const quietly = async (times: number) => {
        for (let index = 0; index < times; index++) {
          await world.set([...second, ...third], 'quiet', {
            phase: 'open',
            failures: 0,
            lastPollAt: lastHeard,
          })
          await world.look()
        }
      }
      await quietly(20)
      expect((await open()).some(({ cause }) => cause === 'host')).toBe(true)
      expect(await told()).toEqual([])
      await world.set([...second, ...third], 'stalled')
      await world.look(20)
      expect((await told()).map((line) => line.slice(0, 44))).toEqual([
        'ops incident.opened Outbound network is down',
      ])
    })

    test('without data from elsewhere, people are notified after two minutes anyway', async () => {
      await world.channel('ops')
      const [down = ''] = await world.add(1, () => 'first.test')
      const [quiet = ''] = await world.add(1, () => 'second.test')
      const lastHeard = world.now
      await world.set([down], 'dead')
      for (let look = 0; look < 30; look++) {
        await world.set([quiet], 'quiet', { phase: 'open', failures: 0, lastPollAt: lastHeard })
        await world.look()
        if (look === 20) expect(await told()).toEqual([])
      }
      expect(await told()).toHaveLength(1)
    })

    test('Weir’s egress check decides if it is configured', async () => {
      await world.channel('ops')
      world.settings.egressCheckHosts = ['one.test', 'two.test:80']
      let reachable: string[] = []
      const tried = new Set<string>()
      world.deps.canConnect = async (host, port) => {
        tried.add(`${host}:${port}`)
        return reachable.includes(host)
      }
      const only = await world.add(2, () => 'only.test')
      await world.set(only, 'dead')
      await world.look(10)
      expect([...tried].sort()).toEqual(['one.test:443', 'two.test:80'])
      expect((await told()).map((line) => line.slice(0, 44))).toEqual([
        'ops incident.opened Outbound network is down',
      ])
      reachable = ['two.test']
      await world.look(80)
      expect(
        (await told())
          .slice(1)
          .map((line) => line.replace(/:.*/, ''))
          .sort(),
      ).toEqual(['ops incident.opened 2 incidents', 'ops incident.resolved Recovered'])
    })

    test('streams without a worker are one incident, and nothing else is blamed', async () => {
      await world.channel('ops')
      const ids = await world.add(10, (index) => `h${index % 2}.test`)
      await world.set(ids, 'stalled')
      await world.db.execute(sql`UPDATE weir.states SET worker = NULL`)
      await world.look(12)
      expect(await told()).toEqual(['ops incident.opened 10 streams are waiting for a worker'])
      expect((await open()).map(({ cause }) => cause)).toEqual(['workers'])
      await world.set(ids, 'live')
      await world.look(8)
      expect((await told()).slice(1)).toEqual([
        'ops incident.resolved Resolved: 10 streams are waiting for a worker',
      ])
    })
  })
})

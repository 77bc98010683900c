import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { channels, streams } from '../../drizzle/schema.ts'
import { acknowledge, incidentTimelineOf } from '../../src/incidents/read.ts'
import { isSkipped, STORAGE_SETUPS } from '../support/setups.ts'
import { REMIND_MS, type World } from './support.ts'
import { useWorld } from './use-world.ts'

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let world: World
    useWorld(setup, (opened) => {
      world = opened
    })

    const types = async () => (await world.told()).map(({ type }) => type)

    test('a stalled stream is notified once, and once on recovery', async () => {
      await world.channel('ops')
      const [id = ''] = await world.add(2, (index) => `h${index}.test`)
      await world.look(2)
      await world.set([id], 'stalled')
      await world.look(2)
      expect(await world.incidents()).toEqual([])
      await world.look(20)
      expect(await types()).toEqual(['incident.opened'])
      const [incident] = await world.incidents()
      expect(incident).toMatchObject({ streamId: id, cause: 'stalled', resolvedAt: null })
      await world.set([id], 'live')
      await world.look(10)
      expect(await types()).toEqual(['incident.opened', 'incident.resolved'])
      expect((await world.incidents())[0]?.resolvedAt).not.toBeNull()
      const [opened, resolved] = await world.told()
      expect(opened?.message).toMatchObject({
        severity: 'warning',
        streams: [{ id }],
        url: `http://weir.test/incidents/${incident?.id}`,
      })
      expect(resolved?.message).toMatchObject({ severity: 'resolved', incidentId: incident?.id })
    })

    test('after a restart between any two evaluations, nothing is sent twice or missed', async () => {
      await world.channel('ops')
      const [id = ''] = await world.add(2, (index) => `h${index}.test`)
      await world.set([id], 'dead')
      for (let look = 0; look < 12; look++) {
        world.restart()
        await world.look()
      }
      await world.set([id], 'quiet', { phase: 'connecting', failures: 0 })
      await world.look(5)
      expect(await types()).toEqual(['incident.opened'])
      await world.set([id], 'dead')
      await world.look(5)
      expect(await types()).toEqual(['incident.opened'])
      await world.set([id], 'live')
      for (let look = 0; look < 8; look++) {
        world.restart()
        await world.look()
      }
      expect(await types()).toEqual(['incident.opened', 'incident.resolved'])
    })

    test('a crash after the evaluation or before the deliveries loses no message', async () => {
      await world.channel('ops')
      const [id = ''] = await world.add(2, (index) => `h${index}.test`)
      await world.set([id], 'dead')
      const { notifier } = world.deps
      const crash = () => Promise.reject(new Error('killed'))
      world.deps.notifier = { ...bound(notifier), store: crash }
      await world.look(2)
      await expect(world.look(4)).rejects.toThrow('killed')
      expect((await world.incidents())[0]).toMatchObject({ notifiedAt: null })
      expect(await types()).toEqual([])
      world.restart()
      await world.look(4)
      expect(await types()).toEqual(['incident.opened'])
    })

    test('two concurrent evaluations notify once', async () => {
      await world.channel('ops')
      await world.channel('more')
      const ids = await world.add(40, (index) => `h${index}.test`)
      await world.set(ids.slice(0, 5), 'dead')
      for (let round = 0; round < 30; round++) {
        if (round === 15) await world.set(ids.slice(0, 5), 'live')
        await Promise.all([world.look(), world.look(), world.look()])
      }
      const told = await world.told()
      expect(told.filter(({ channel }) => channel === 'ops').map(({ type }) => type)).toEqual([
        'incident.opened',
        'incident.resolved',
      ])
      expect(told).toHaveLength(4)
      expect(await world.incidents()).toHaveLength(5)
    })

    test('incidents that open together share a message, per channel', async () => {
      await world.channel('shop', { tags: ['shop'], isDefault: false })
      await world.channel('rest')
      const shop = await world.add(12, (index) => `s${index}.test`, { tags: ['shop'] })
      const rest = await world.add(12, (index) => `r${index}.test`)
      await world.set([...shop.slice(0, 11), ...rest.slice(0, 1)], 'dead')
      await world.look(10)
      const told = await world.told()
      expect(told).toHaveLength(2)
      const toShop = told.find(({ channel }) => channel === 'shop')?.message
      expect(toShop?.title).toStartWith('11 incidents: ')
      expect(toShop?.text).toEndWith('and 1 more')
      expect(toShop?.url).toBe('http://weir.test/incidents')
      expect(told.find(({ channel }) => channel === 'rest')?.message.streams).toMatchObject([{ id: rest[0] }])
    })

    test('reminders are sent while it is open and unacknowledged, on time after a restart too', async () => {
      await world.channel('ops')
      const ids = await world.add(3, (index) => `h${index}.test`)
      await world.set(ids.slice(0, 2), 'dead')
      await world.look(6)
      const wait = async () => {
        world.restart()
        world.now += REMIND_MS
        await world.look()
      }
      await wait()
      await wait()
      expect(await types()).toEqual(['incident.opened', 'incident.reminded', 'incident.reminded'])
      const [first, second] = await world.incidents()
      await acknowledge(world, first?.id ?? '', { by: 'Ada', note: 'on it' }, world.now)
      await wait()
      const told = await world.told()
      expect(told).toHaveLength(4)
      expect(told[3]?.message.incidentId).toBe(second?.id as string)
      await acknowledge(world, second?.id ?? '', { by: 'Ada' }, world.now)
      await wait()
      expect(await world.told()).toHaveLength(4)
      await world.set(ids, 'live')
      await world.look(8)
      expect((await types()).slice(4)).toEqual(['incident.resolved'])
    })

    test('the recovery goes to exactly those who were notified', async () => {
      const ops = await world.channel('ops')
      const [id = ''] = await world.add(2, (index) => `h${index}.test`)
      await world.set([id], 'dead')
      await world.look(6)
      await world.db.update(channels).set({ isDefault: false }).where(eq(channels.id, ops))
      await world.channel('late')
      await world.set([id], 'live')
      await world.look(8)
      expect((await world.told()).map(({ channel, type }) => [channel, type])).toEqual([
        ['ops', 'incident.opened'],
        ['ops', 'incident.resolved'],
      ])
    })

    test('an incident that ends before a notification is shown, and never sent', async () => {
      await world.channel('ops')
      world.settings.groupWaitMs = 60_000
      const [id = ''] = await world.add(2, (index) => `h${index}.test`)
      await world.set([id], 'dead')
      await world.look(4)
      await world.set([id], 'live')
      await world.look(30)
      expect(await world.incidents()).toHaveLength(1)
      expect(await types()).toEqual([])
    })

    test('if no channel is responsible, that is recorded; a later channel gets the reminder', async () => {
      const [id = ''] = await world.add(2, (index) => `h${index}.test`)
      await world.set([id], 'dead')
      await world.look(6)
      const [incident] = await world.incidents()
      const timeline = await incidentTimelineOf(world.db, incident as never)
      expect(timeline[1]).toMatchObject({ kind: 'told', note: 'No channel is responsible.' })
      await world.channel('late')
      world.now += REMIND_MS
      await world.look()
      await world.set([id], 'live')
      await world.look(8)
      expect(await types()).toEqual(['incident.reminded', 'incident.resolved'])
    })

    test('a flapping stream is one incident, with few notifications', async () => {
      await world.channel('ops')
      const [id = ''] = await world.add(2, (index) => `h${index}.test`)
      for (let turn = 0; turn < 40; turn++) {
        await world.set([id], turn % 2 === 0 ? 'stalled' : 'live')
        await world.look(5)
      }
      const during = await types()
      expect(during.length).toBeLessThanOrEqual(5)
      expect((await world.incidents()).at(-1)).toMatchObject({ cause: 'flapping', resolvedAt: null })
      await world.look(10)
      await world.look(30 * 2, 30_000)
      expect(await types()).toEqual([...during, 'incident.resolved'])
      expect((await world.incidents()).every(({ resolvedAt }) => resolvedAt !== null)).toBe(true)
    })

    test('a clock that jumps neither repeats nor delays a message', async () => {
      await world.channel('ops')
      const [id = ''] = await world.add(2, (index) => `h${index}.test`)
      const day = 86_400_000
      await world.look(2)
      await world.set([id], 'dead')
      await world.look(3)
      world.now -= day
      await world.set([id], 'dead')
      await world.look(3)
      expect(await types()).toEqual(['incident.opened'])
      for (const jump of [-day, 1_000, -day, 2_000]) {
        world.now += jump
        await world.look(2)
      }
      expect(await types()).toEqual(['incident.opened'])
      world.now += REMIND_MS
      await world.look()
      expect(await types()).toEqual(['incident.opened', 'incident.reminded'])
      await world.set([id], 'live')
      await world.look(2)
      world.now -= 30 * day
      await world.look(4)
      expect((await types()).slice(2)).toEqual(['incident.resolved'])
    })

    test('a stopped stream has no incident', async () => {
      await world.channel('ops')
      const [id = ''] = await world.add(2, (index) => `h${index}.test`)
      await world.set([id], 'dead')
      await world.look(6)
      await world.db.update(streams).set({ desired: 'stopped' }).where(eq(streams.id, id))
      await world.set([id], 'stopped')
      await world.look(4)
      expect(await types()).toEqual(['incident.opened', 'incident.resolved'])
    })

    test('a stalled stream that dies is the same incident, only worse', async () => {
      await world.channel('ops')
      const [id = ''] = await world.add(2, (index) => `h${index}.test`)
      await world.set([id], 'stalled')
      await world.look(8)
      await world.set([id], 'dead')
      await world.look(8)
      expect(await world.incidents()).toMatchObject([{ cause: 'dead', detail: 'It is dead.' }])
      expect(await types()).toEqual(['incident.opened'])
    })
  })
})

function bound(notifier: World['deps']['notifier']): World['deps']['notifier'] {
  return {
    responsible: (ids) => notifier.responsible(ids),
    store: (...args) => notifier.store(...args),
    deliver: (stored) => notifier.deliver(stored),
  }
}

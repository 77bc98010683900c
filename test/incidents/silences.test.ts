import { describe, expect, test } from 'bun:test'
import { Problem } from '../../src/errors.ts'
import {
  addSilence,
  changeSilence,
  checkSilence,
  listSilences,
  removeSilence,
  silentAt,
} from '../../src/incidents/silences.ts'
import { isSkipped, STORAGE_SETUPS } from '../support/setups.ts'
import { REMIND_MS, type World } from './support.ts'
import { useWorld } from './use-world.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let world: World
    useWorld(setup, (opened) => {
      world = opened
    })

    const types = async () => (await world.told()).map(({ type }) => type)
    const inMs = (ms: number) => new Date(world.now + ms).toISOString()
    const hosts = (index: number) => `h${index}.test`

    test('during a silence incidents open silently; those still open at its end are sent', async () => {
      await world.channel('ops')
      const [still = '', passing = ''] = await world.add(3, hosts)
      await addSilence(world, { reason: 'Move', endsAt: inMs(30 * MINUTE_MS) }, world.now)
      await world.set([still, passing], 'dead')
      await world.look(20)
      expect(await world.incidents()).toHaveLength(2)
      await world.set([passing], 'live')
      await world.look(20)
      world.restart()
      expect(await types()).toEqual([])
      world.now += 30 * MINUTE_MS
      await world.look(3)
      expect((await world.told()).map(({ type, message }) => [type, message.streams[0]?.id])).toEqual([
        ['incident.opened', still],
      ])
      await world.set([still], 'live')
      await world.look(10)
      expect(await types()).toEqual(['incident.opened', 'incident.resolved'])
    })

    test('a silence of a tag or stream leaves the others; a host is reported by the rest', async () => {
      await world.channel('ops')
      const shop = await world.add(2, hosts, { tags: ['shop'] })
      const [one = '', other = ''] = await world.add(2, (index) => `o${index}.test`)
      await addSilence(world, { reason: 'a', tag: 'shop', endsAt: inMs(HOUR_MS) }, world.now)
      const own = await addSilence(world, { reason: 'b', streamId: one, endsAt: inMs(HOUR_MS) }, world.now)
      await world.add(1, () => 'fine.test')
      await world.set([...shop, one, other], 'dead')
      await world.look(10)
      expect((await world.told()).map(({ message }) => message.streams.map(({ id }) => id))).toEqual([
        [other],
      ])
      await removeSilence(world, own.id)
      await world.look(3)
      expect((await world.told()).map(({ message }) => message.streams.map(({ id }) => id))).toEqual([
        [other],
        [one],
      ])

      const host = await world.add(4, () => 'host.test')
      for (const id of host.slice(1)) {
        await addSilence(world, { reason: 'c', streamId: id, endsAt: inMs(HOUR_MS) }, world.now)
      }
      await world.set(host, 'dead')
      await world.look(10)
      expect((await world.told()).at(-1)?.message.streams.map(({ id }) => id)).toEqual(host.slice(0, 1))
    })

    test('reminders and recoveries wait for the end of a silence, too', async () => {
      await world.channel('ops')
      const [id = ''] = await world.add(2, hosts)
      await world.set([id], 'dead')
      await world.look(6)
      const silence = await addSilence(world, { reason: 'Night', endsAt: inMs(3 * REMIND_MS) }, world.now)
      world.now += REMIND_MS
      await world.look(2)
      await world.set([id], 'live')
      await world.look(10)
      expect(await types()).toEqual(['incident.opened'])
      await changeSilence(world, silence.id, { endsAt: inMs(1_000) }, world.now)
      await world.look(2)
      expect(await types()).toEqual(['incident.opened', 'incident.resolved'])
    })

    test('a maintenance window recurs by the clock of its zone', async () => {
      await world.channel('ops')
      const schedule = { timeZone: 'Europe/Berlin', days: ['tue'], from: '14:00', durationMinutes: 60 }
      await addSilence(world, { reason: 'Tuesdays', schedule }, world.now)
      const [id = ''] = await world.add(2, hosts)
      // Tuesday, 14:00 in Berlin.
      expect(new Date(world.now).toISOString()).toBe('2026-05-05T12:00:00.000Z')
      await world.set([id], 'dead')
      await world.look(30)
      expect(await types()).toEqual([])
      world.now += HOUR_MS
      await world.look(1)
      expect(await types()).toEqual(['incident.opened'])
    })

    test('a past silence is kept, but no longer listed', async () => {
      const silence = await addSilence(world, { reason: 'Short', endsAt: inMs(MINUTE_MS) }, world.now)
      expect(await listSilences(world.db, world.now)).toEqual([silence])
      world.now += HOUR_MS
      expect(await listSilences(world.db, world.now)).toEqual([])
      expect(await listSilences(world.db, world.now, true)).toEqual([silence])
    })
  })
})

const NOW = Date.UTC(2026, 0, 1)
const WINDOW = { timeZone: 'Europe/Berlin', days: ['mon'], from: '02:00', durationMinutes: 60 }

test.each<[what: string, silence: unknown, field: string, detail: string]>([
  ['no reason', { endsAt: '2027-01-01T00:00:00Z' }, 'reason', '`reason` is required.'],
  ['no end', { reason: 'a' }, 'endsAt', 'Set an end time or a schedule.'],
  [
    'an end without a zone',
    { reason: 'a', endsAt: '2027-01-01T00:00' },
    'endsAt',
    'endsAt: the time has no zone',
  ],
  [
    'an end that is ambiguous',
    { reason: 'a', endsAt: '03/04/2027' },
    'endsAt',
    'endsAt: expected a time such as',
  ],
  ['an end that is no time', { reason: 'a', endsAt: 'soon' }, 'endsAt', 'endsAt: expected a time such as'],
  [
    'an end before its start',
    { reason: 'a', endsAt: '2025-01-01T00:00:00Z' },
    'endsAt',
    'The end must be after the start.',
  ],
  [
    'years',
    { reason: 'a', endsAt: '2029-01-01T00:00:00Z' },
    'endsAt',
    "A silence can't last longer than a year.",
  ],
  [
    'a stream and a tag',
    { reason: 'a', tag: 'a', streamId: 'b', schedule: WINDOW },
    'tag',
    'Give either `streamId` or `tag`, not both.',
  ],
  [
    'no such zone',
    { reason: 'a', schedule: { ...WINDOW, timeZone: 'Moon' } },
    'schedule',
    'Unknown time zone "Moon"',
  ],
  [
    'no such day',
    { reason: 'a', schedule: { ...WINDOW, days: ['x'] } },
    'schedule',
    'schedule.days.0: expected mon or',
  ],
  [
    'no such time',
    { reason: 'a', schedule: { ...WINDOW, from: '24:00' } },
    'schedule',
    'schedule.from: expected HH:MM in that time zone.',
  ],
  [
    'a week and more',
    { reason: 'a', schedule: { ...WINDOW, durationMinutes: 10_081 } },
    'schedule',
    'durationMinutes',
  ],
])('a silence with %s is rejected with a message', (_what, input, field, detail) => {
  expect(() => checkSilence(input, NOW)).toThrow(Problem)
  try {
    checkSilence(input, NOW)
  } catch (error) {
    expect(error).toMatchObject({ field, status: 422 })
    expect((error as Problem).detail).toContain(detail)
  }
})

test('a window counts only between the start and the end of its silence', () => {
  const schedule = { timeZone: 'UTC', days: ['mon' as const], from: '02:00', durationMinutes: 120 }
  const scope = { id: '', reason: '', streamId: null, tag: null, createdAt: new Date(NOW), schedule }
  const monday = Date.UTC(2026, 0, 5)
  const silence = {
    ...scope,
    startsAt: new Date(monday + 3 * HOUR_MS),
    endsAt: new Date(monday + 8 * 24 * HOUR_MS),
  }
  expect(silentAt(silence, monday + 2.5 * HOUR_MS)).toBeUndefined()
  expect(silentAt(silence, monday + 3 * HOUR_MS)).toEqual({
    from: monday + 3 * HOUR_MS,
    to: monday + 4 * HOUR_MS,
  })
  expect(silentAt(silence, monday + 7 * 24 * HOUR_MS + 2 * HOUR_MS)).toBeDefined()
  expect(silentAt(silence, monday + 14 * 24 * HOUR_MS + 2 * HOUR_MS)).toBeUndefined()
})

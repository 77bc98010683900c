import { describe, expect, test } from 'bun:test'
import { DAY_MS, HOUR_MS } from '../../src/core/time.ts'
import { isSkipped, STORAGE_SETUPS } from '../support/setups.ts'
import { REMIND_MS, type World } from './support.ts'
import { useWorld } from './use-world.ts'

describe.each(STORAGE_SETUPS)('certificates on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let world: World
    useWorld(setup, (opened) => {
      world = opened
    })

    const titles = async () => (await world.told()).map(({ title }) => title)
    const presents = (ids: readonly string[], leftMs: number, seenAt = world.now) =>
      world.set(ids, 'live', { certificate: { expiresAt: world.now + leftMs, issuer: 'R3', seenAt } })

    test('warn once per host at 21, 7 and 1 days, and recover with the next certificate', async () => {
      await world.channel('ops')
      world.settings.remindMs = 400 * DAY_MS
      const ids = await world.add(3, () => 'api.test')
      const expiresAt = world.now + 22 * DAY_MS
      const at = async (days: number) => {
        world.now = expiresAt - days * DAY_MS
        await presents(ids, days * DAY_MS)
        await world.look(4)
      }
      await at(21.5)
      expect(await titles()).toEqual([])
      await at(20.9)
      expect(await titles()).toEqual(['api.test: certificate expires in 20 days'])
      const [sent] = await world.told()
      expect(sent?.message).toMatchObject({ severity: 'warning', streamCount: 3 })
      expect(sent?.message.text).toContain(
        'The TLS certificate of api.test, issued by R3, expires at 2026-05-27 12:00 UTC.',
      )
      await at(8)
      expect((await titles()).length).toBe(1)
      await at(6.9)
      expect((await titles()).slice(1)).toEqual(['api.test: certificate expires in 6 days'])
      await at(0.9)
      expect((await titles()).slice(2)).toEqual(['api.test: certificate expires in 21 h'])
      await at(-0.1)
      expect((await titles()).length).toBe(3)
      // The oldest stream still remembers the old one.
      await presents(ids.slice(1), 90 * DAY_MS)
      await world.look(4)
      expect((await titles()).slice(3)).toEqual(['Resolved: api.test: certificate expires in 21 h'])
      expect((await world.incidents()).map(({ cause, resolvedAt }) => [cause, resolvedAt !== null])).toEqual([
        ['certificate', true],
      ])
    })

    test('are no problem of hosts that nothing is followed on any more, nor of plain ones', async () => {
      await world.channel('ops')
      const [left] = await world.add(1, () => 'left.test')
      await world.add(1, () => 'plain.test')
      await presents([left as string], HOUR_MS)
      await world.look(4)
      expect(await titles()).toEqual(['left.test: certificate expires in 59 min'])
      const { rows } = (await world.db.execute(
        'SELECT count(*)::int AS open FROM weir.incidents WHERE resolved_at IS NULL',
      )) as {
        rows: { open: number }[]
      }
      expect(rows[0]?.open).toBe(1)
      await world.db.execute("UPDATE weir.streams SET desired = 'stopped'")
      await world.look(1)
      expect((await world.incidents()).every(({ resolvedAt }) => resolvedAt !== null)).toBe(true)
    })

    test('are reminded of like any incident', async () => {
      await world.channel('ops')
      const ids = await world.add(1, () => 'api.test')
      await presents(ids, 3 * DAY_MS)
      await world.look(4)
      world.now += REMIND_MS
      await world.look(2)
      expect(await titles()).toEqual([
        'api.test: certificate expires in 2 days',
        'Still open: api.test: certificate expires in 2 days',
      ])
    })
  })
})

import { describe, expect, test } from 'bun:test'
import { states } from '../../drizzle/schema.ts'
import { isSkipped, STORAGE_SETUPS } from '../support/setups.ts'
import type { World } from './support.ts'
import { useWorld } from './use-world.ts'

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let world: World
    useWorld(setup, (opened) => {
      world = opened
    })

    test('push streams wait for no worker, and their silence is nobody’s host’s', async () => {
      await world.channel('ops')
      const ids = await world.add(6, () => 'sender.test', { kind: 'push', silenceMs: 60_000 })
      const noWorker = () => world.deps.db.update(states).set({ worker: null })
      await noWorker()
      await world.look(30)
      expect(await world.incidents()).toEqual([])
      await world.set(ids, 'stalled', { phase: 'open', failures: 0, failingSince: undefined })
      await noWorker()
      await world.look(30)
      const opened = await world.incidents()
      expect(opened.map(({ cause, streamId }) => [cause, streamId]).sort()).toEqual(
        ids.map((id) => ['stalled', id]).sort(),
      )
      await world.set(ids, 'live')
      await noWorker()
      await world.look(30)
      expect((await world.incidents()).filter(({ resolvedAt }) => resolvedAt === null)).toEqual([])
    })
  })
})

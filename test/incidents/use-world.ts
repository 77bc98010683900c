import { afterAll, beforeAll, beforeEach } from 'bun:test'
import type { OpenSetup, SETUPS } from '../support/setups.ts'
import { openWorld, type World } from './support.ts'

/** Opens a world for the tests of a block, clears it before each of them, and closes it after the last. */
export function useWorld(setup: (typeof SETUPS)[number], use: (world: World) => void): void {
  let services: OpenSetup
  let world: World
  beforeAll(async () => {
    services = await setup.open()
    world = await openWorld(services.environment.DATABASE_URL)
    use(world)
  })
  beforeEach(() => world.clear())
  afterAll(async () => {
    await world.close()
    await services.close()
  })
}

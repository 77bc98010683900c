import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSkipped, SETUPS } from '../support/setups.ts'
import { Fleet } from './fleet.ts'
import { Clock } from './injection/clock.ts'
import { Engine } from './injection/engine.ts'
import type { SetupName, Theatre } from './injection/kind.ts'
import type { Mishap } from './program.ts'
import { UpstreamProcess } from './upstream/process.ts'

const INDEX: Record<SetupName, number> = { embedded: 0, postgres: 1, 'postgres-redis': 2 }

export interface StageOptions {
  setup: SetupName
  streams: number
  logFile: string | undefined
  mishap(mishap: Mishap): void
}

/**
 * Starts a set-up of Weir with its upstream and its servers.
 * @param clearing gathers what must be undone, from the first process on: it is called on any end
 * @returns undefined where the set-up's servers aren't installed
 */
export async function openStage(
  { setup: name, streams, logFile, mishap }: StageOptions,
  clearing: (() => Promise<unknown>)[],
): Promise<Theatre | undefined> {
  const setup = SETUPS[INDEX[name]] as (typeof SETUPS)[number]
  if (isSkipped(setup)) return undefined
  const directory = mkdtempSync(join(tmpdir(), 'weir-faults-'))
  clearing.push(async () => rmSync(directory, { recursive: true, force: true }))
  const servers = await setup.open({ ownServer: true })
  clearing.push(() => servers.close())
  const upstream = new UpstreamProcess(directory, streams, mishap, logFile)
  clearing.push(() => upstream.program.kill())
  const fleet = new Fleet({
    isEmbedded: name === 'embedded',
    environment: { DATA_DIR: join(directory, 'data'), ...servers.environment },
    clock: (program) => new Clock(directory, program),
    mishap,
    logFile,
  })
  clearing.push(() => fleet.kill())
  await upstream.start()
  await fleet.start()
  return {
    fleet,
    upstream,
    postgres: servers.postgres && new Engine(servers.postgres),
    databaseUrl: servers.environment.DATABASE_URL,
    redis: servers.redis && new Engine(servers.redis),
  }
}

/** Undoes everything, in reverse; what can't be undone keeps nothing else from being. */
export async function clear(clearing: (() => Promise<unknown>)[]): Promise<void> {
  for (const undo of clearing.splice(0).reverse()) {
    await undo().catch((error) => console.error(`Clearing up: ${error}`))
  }
}

import type { ServiceSpec } from './graph.ts'
import { randomFor } from './random.ts'
import { registerFeeds } from './register.ts'
import { type Service, startService } from './service.ts'
import { sendTraffic } from './traffic.ts'
import { WeirClient } from './weir-client.ts'
import { realWorld, untilClosed, type World } from './world.ts'

export interface SimulationOptions {
  /** In an order in which whoever is called by name stands before its callers. */
  services: ServiceSpec[]
  /** The web program's URL without a slash at its end. */
  web: string
  /** The web program's token. Default none. */
  token?: string
  /** What every random choice follows from: a whole number from 0 to 2^32 - 1. */
  seed: number
  /** Whether the services' feeds are registered as streams. */
  register: boolean
  /** Background activations: of the service `entry`, so many per minute; none when left out. */
  traffic?: { entry: string; perMinute: number }
}

export interface Simulation {
  services: { name: string; address: string; url: string }[]
  /** Ends everything; a web program that hangs doesn't hold it up. */
  close(): Promise<void>
}

/**
 * Starts the services, and in the background what goes with them.
 * @throws PortError when a port is taken; what was started before is closed again.
 */
export async function startSimulation(
  options: SimulationOptions,
  world: World = realWorld,
): Promise<Simulation> {
  const { web, token, seed, register, traffic } = options
  const controller = new AbortController()
  const closing = controller.signal
  const client = new WeirClient({ web, token, world, closing })
  const services: Service[] = []
  const background: Promise<void>[] = []
  const close = async () => {
    controller.abort()
    await Promise.all([...services.map((service) => service.close()), ...background])
  }

  try {
    for (const spec of options.services) {
      const named = { ...spec, services: spec.services.map((called) => addressOf(called, services)) }
      services.push(startService({ spec: named, seed, client, world, closing }))
    }
  } catch (error) {
    await close()
    throw error
  }

  if (register) background.push(untilClosed(closing, () => registerFeeds(services, client, world, closing)))
  const target = services.find(({ name }) => name === traffic?.entry)
  if (traffic !== undefined && target !== undefined && traffic.perMinute > 0) {
    const random = randomFor(seed, 'traffic')
    const run = () => sendTraffic({ target, perMinute: traffic.perMinute, random }, world, closing)
    background.push(untilClosed(closing, run))
  }
  return { services: services.map(({ name, address, url }) => ({ name, address, url })), close }
}

function addressOf(called: string, services: Service[]): string {
  return services.find(({ name }) => name === called)?.address ?? called
}

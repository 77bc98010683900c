import { type Control, startControl } from './control.ts'
import type { ServiceSpec, Traffic } from './graph/graph.ts'
import { type Service, startService } from './service/service.ts'
import { TrafficControl } from './traffic.ts'
import { WeirClient } from './weir/client.ts'
import { registerFeeds } from './weir/register.ts'
import { Reports } from './weir/reports.ts'
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
  /** Background activations; none when left out. */
  traffic?: Traffic | Traffic[]
  /** Told of every number that a counting service sends, right before it goes to its newest reader. */
  onSent?: (service: string, number: number) => void
  /** The port at which the simulation as a whole takes orders, 0 for a free one; none when left out. */
  controlPort?: number
}

export interface Simulation {
  services: { name: string; address: string; url: string }[]
  /** Where the simulation as a whole takes orders; none when no port was given. */
  controlUrl?: string
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
  const { web, token, seed, register, onSent, controlPort } = options
  const controller = new AbortController()
  const closing = controller.signal
  const client = new WeirClient({ web, token, world, closing })
  const reports = new Reports({ client, world, closing })
  const services: Service[] = []
  const names = new Map<string, string>()
  const background: Promise<void>[] = []
  let control: Control | undefined
  const close = async () => {
    controller.abort()
    await Promise.all([control?.close(), ...services.map((service) => service.close()), ...background])
  }

  try {
    for (const spec of options.services) {
      const service = startService({
        spec: addressed(spec, services),
        seed,
        reports,
        names,
        onSent,
        world,
        closing,
      })
      services.push(service)
      names.set(service.address, service.name)
    }
    const traffic = new TrafficControl({ services, seed, world, closing })
    traffic.set([options.traffic ?? []].flat())
    background.push(traffic.ended)
    if (controlPort !== undefined) control = startControl({ port: controlPort, seed, services, traffic })
  } catch (error) {
    await close()
    throw error
  }

  const announce = () => services.map((service) => service.announcement())
  background.push(untilClosed(closing, () => reports.keepAnnouncing(announce)))
  if (register) background.push(untilClosed(closing, () => registerFeeds(services, client, world, closing)))
  return {
    services: services.map(({ name, address, url }) => ({ name, address, url })),
    ...(control === undefined ? {} : { controlUrl: control.url }),
    close,
  }
}

/** The service with the addresses of whom it calls by name. */
function addressed({ lab, ...spec }: ServiceSpec, services: Service[]): ServiceSpec {
  const addressOf = (called: string) => services.find(({ name }) => name === called)?.address ?? called
  const steps = lab?.steps.map((step) => step.map((call) => ({ ...call, service: addressOf(call.service) })))
  return {
    ...spec,
    services: spec.services.map(addressOf),
    ...(lab === undefined ? {} : { lab: { ...lab, steps: steps ?? [] } }),
  }
}

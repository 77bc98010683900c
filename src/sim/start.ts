import { type ControlServer, startControl } from './control.ts'
import type { ServiceSpec, Traffic } from './graph/graph.ts'
import type { FeedAnswer } from './service/api.ts'
import { type RunningService, startService } from './service/service.ts'
import { TrafficControl } from './traffic.ts'
import { SimClient } from './weir/client.ts'
import { leave, registerFeeds } from './weir/register.ts'
import { Reports } from './weir/reports.ts'
import { realWorld, type SimWorld, untilClosed } from './world.ts'

export interface SimulationOptions {
  /** Callees before callers, for services that are called by name. */
  services: ServiceSpec[]
  /** The URL of Weir without a trailing slash. */
  web: string
  /** Weir's token. Default: none. */
  token?: string
  /** Determines every random choice: a whole number from 0 to 2^32 - 1. */
  seed: number
  /** Whether to register the services' feeds as streams. */
  register: boolean
  /** Background activations; none if omitted. */
  traffic?: Traffic | Traffic[]
  /** Called with every number that a counting service sends, right before it goes to its newest reader. */
  onSent?: (service: string, number: number) => void
  /** Called with every answer of a service's `/feed`, before it is sent. */
  onAnswer?: (service: string, answer: FeedAnswer) => void
  /** Port of the control API, 0 for a free one; none if omitted. */
  controlPort?: number
}

export interface Simulation {
  services: { name: string; address: string; url: string }[]
  /** URL of the control API; undefined without a port. */
  controlUrl?: string
  /**
   * Stops everything, and says what becomes of the streams that it registered. A Weir that hangs doesn't delay it, unless
   * they are to be removed.
   * @param remove whether they are removed, with their logs
   */
  close(remove?: boolean): Promise<void>
}

/**
 * Starts the services and their background work.
 * @throws PortError if a port is taken; services that were already started are closed again.
 */
export async function startSimulation(
  options: SimulationOptions,
  world: SimWorld = realWorld,
): Promise<Simulation> {
  const { web, token, seed, register, onSent, onAnswer, controlPort } = options
  const controller = new AbortController()
  const closing = controller.signal
  const client = new SimClient({ web, token, world, closing })
  const reports = new Reports({ client, world, closing })
  const services: RunningService[] = []
  const names = new Map<string, string>()
  const background: Promise<void>[] = []
  let control: ControlServer | undefined
  const registering = new AbortController()
  const registered = new Set<string>()
  let registration = Promise.resolve()
  const close = async (remove = false) => {
    registering.abort()
    if (remove) await registration
    await leave(registered, remove, client, world)
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
        onAnswer,
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
  if (register) {
    const { signal } = registering
    registration = untilClosed(signal, () =>
      registerFeeds(services, { client, world, closing: signal, registered }),
    )
    background.push(registration)
  }
  return {
    services: services.map(({ name, address, url }) => ({ name, address, url })),
    ...(control === undefined ? {} : { controlUrl: control.url }),
    close,
  }
}

/** The service with the addresses of its callees instead of their names. */
function addressed({ lab, ...spec }: ServiceSpec, services: RunningService[]): ServiceSpec {
  const addressOf = (called: string) => services.find(({ name }) => name === called)?.address ?? called
  const steps = lab?.steps.map((step) => step.map((call) => ({ ...call, service: addressOf(call.service) })))
  return {
    ...spec,
    services: spec.services.map(addressOf),
    ...(lab === undefined ? {} : { lab: { ...lab, steps: steps ?? [] } }),
  }
}

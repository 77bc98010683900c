/** One simulated service, before it is started. */
export interface ServiceSpec {
  name: string
  /** The address it listens on, e.g. `127.0.0.1`. */
  host: string
  /** 0 takes a free one. */
  port: number
  /** A leaf answers after this; a node waits this long for each of its services. In milliseconds. */
  timeoutMs: number
  /** Whom it calls: the names of services before it in the list, or `host:port`. None makes it a leaf. */
  services: string[]
}

/** The service of the sample graph that people, and the background traffic, activate. */
export const ENTRY = 'UI'

export const DEFAULT_PORT_BASE = 5010

export const LOOPBACK = '127.0.0.1'

/** Whoever is called stands before its callers: the order to start them in. */
const SAMPLE: readonly (Omit<ServiceSpec, 'host' | 'port'> & { portOffset: number })[] = [
  { name: 'T', portOffset: 0, timeoutMs: 1_000, services: [] },
  { name: 'DS', portOffset: 1, timeoutMs: 800, services: [] },
  { name: 'TM', portOffset: 2, timeoutMs: 1_500, services: [] },
  { name: 'H', portOffset: 7, timeoutMs: 1_000, services: [] },
  { name: 'V', portOffset: 3, timeoutMs: 4_000, services: ['T', 'DS', 'TM'] },
  { name: 'P', portOffset: 4, timeoutMs: 4_000, services: ['V', 'H'] },
  { name: 'D', portOffset: 5, timeoutMs: 4_000, services: ['P'] },
  { name: 'UI', portOffset: 6, timeoutMs: 4_000, services: ['D'] },
]

/** The highest port base that leaves every service of the sample graph a port. */
export const MAX_PORT_BASE = 65_535 - Math.max(...SAMPLE.map(({ portOffset }) => portOffset))

/** The eight services of the sample graph. A base of 0 gives every one a free port. */
export function sampleGraph(portBase: number = DEFAULT_PORT_BASE): ServiceSpec[] {
  return SAMPLE.map(({ portOffset, ...service }) => ({
    ...service,
    host: LOOPBACK,
    port: portBase === 0 ? 0 : portBase + portOffset,
  }))
}

import { workerName } from '../jobs/worker-name.ts'
import { version } from '../package.json'
import { Bus } from './bus/bus.ts'
import { isLocalOnly } from './config/local-only.ts'
import type { Config } from './config/settings.ts'
import { Hub } from './hub/hub.ts'
import { SubscriberSlots } from './hub/subscriber-slots.ts'
import { SharedCounts } from './limits/shared-counts.ts'
import { Egress, type EgressDeps, type Lookup } from './net/egress.ts'
import type { Log } from './observe/log.ts'
import { Observation } from './observe/observation.ts'
import { describeQueues, openQueueEngine } from './queue/open.ts'
import { Queues } from './queue/queues.ts'
import { carryEvents } from './relay/carry.ts'
import { openRelay } from './relay/open.ts'
import type { Relay } from './relay/relay.ts'
import { type DamageLog, WAY_BACK } from './storage/errors/damage.ts'
import { openStorage } from './storage/open.ts'
import type { Database, Storage } from './storage/storage.ts'

/** Called with errors that no caller receives. */
export type Warn = (message: string, error?: unknown) => void

/** Dependencies that every part is built from. */
export interface Context {
  config: Config
  warn: Warn
  log: Log
  now(): number
  /** Uniform in [0, 1). */
  random(): number
  /** Where data and jobs are stored, for display. */
  where: { storage: string; jobs: string }
  db: Database
  /** What was found damaged in the database. */
  damage: DamageLog
  /** Closes the parts, the last one first. */
  closers: Closers
  queues: Queues
  /** The event bus between the parts of this process. */
  bus: Bus
  hub: Hub
  relay: Relay
  /** Limits counted across processes; undefined: each process counts on its own. */
  counts: SharedCounts | undefined
  egress: Egress
  /** Metrics and traces. */
  observation: Observation
  /** Name of this process among the workers. */
  worker: string
  address: Address
}

export interface ContextOptions {
  log: Log
  /** Omitted: it is opened here. */
  storage?: Promise<Storage> | undefined
  lookup?: Lookup | undefined
  own?: EgressDeps['own']
  random?: (() => number) | undefined
}

/** Opens the dependencies; each registers how to close it. */
export async function openContext(
  config: Config,
  warn: Warn,
  closers: Closers,
  { log, storage: opening = openStorage(config), lookup, own, random = Math.random }: ContextOptions,
): Promise<Context> {
  const storage = await opening
  closers.add(() => storage.close())
  storage.damage.reportTo(({ what }) => warn(`The database is damaged: ${what}. ${WAY_BACK}`))
  const now = Date.now
  const worker = workerName()
  const bus = new Bus(warn)
  const queues = new Queues({ engine: () => openQueueEngine(config.redisUrl, storage), warn })
  closers.add(() => queues.close())
  closers.beforehand((failure) => queues.abandon(failure))
  const observation = new Observation({ config, version, process: worker, log, now })
  closers.add(() => observation.close())
  const hub = new Hub(random, seatsOf(config))
  closers.add(() => hub.close())
  const relay = await openRelay(config, storage, worker)
  closers.add(() => relay.close())
  const carrier = carryEvents(bus, relay)
  closers.add(() => carrier.end())
  const egress = egressOf(config, { lookup, own })
  const counts = await openCounts(config, warn)
  closers.add(() => counts?.close())
  const address = new Address(config)
  const where = { storage: storage.description, jobs: describeQueues(config.redisUrl) }
  return {
    ...{
      config,
      warn,
      log,
      now,
      random,
      where,
      db: storage.db,
      damage: storage.damage,
      closers,
      queues,
      bus,
      hub,
      relay,
      egress,
    },
    ...{ counts, observation, worker, address },
  }
}

/** Closes everything that was opened. */
export class Closers {
  readonly #ends: (() => unknown)[] = []
  readonly #beforehand: ((failure: unknown) => unknown)[] = []

  /** Adds a step that closes a part; the last one added runs first. */
  add(end: () => unknown): void {
    this.#ends.push(end)
  }

  /**
   * Adds a step to run before any part closes; these steps run in the order they were added. @param step gets the
   * reason if Weir couldn't start
   */
  beforehand(step: (failure: unknown) => unknown): void {
    this.#beforehand.push(step)
  }

  /**
   * Takes every step, even if one before it fails.
   * @param failure why Weir couldn't start; omitted if it did
   * @throws the error of the first step that failed
   */
  async close(failure?: unknown): Promise<void> {
    const steps = [...this.#beforehand.map((step) => () => step(failure)), ...this.#ends.splice(0).reverse()]
    const errors: unknown[] = []
    for (const step of steps) {
      try {
        await step()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  }
}

/** The addresses of this Weir. */
export class Address {
  readonly #config: Pick<Config, 'publicUrl' | 'host' | 'port'>
  #url = ''

  constructor(config: Pick<Config, 'publicUrl' | 'host' | 'port'>) {
    this.#config = config
  }

  /** Where this process listens; empty until it does, and for a worker. */
  get url(): string {
    return this.#url
  }

  /** Public URL of this Weir, without a trailing slash. */
  get self(): string {
    const { publicUrl, port } = this.#config
    return publicUrl?.replace(/\/$/, '') ?? (this.#url || `http://localhost:${port}`)
  }

  listening(port: number | undefined): void {
    const { host } = this.#config
    this.#url = `http://${host === '127.0.0.1' ? 'localhost' : host}:${port}`
  }
}

/** Limits are counted in Redis if configured, otherwise by each process on its own. */
async function openCounts(
  { redisUrl, role, opsPort }: Config,
  warn: Warn,
): Promise<SharedCounts | undefined> {
  const isAsked = role !== 'worker' || opsPort !== undefined
  return redisUrl === undefined || !isAsked ? undefined : SharedCounts.open(redisUrl, warn)
}

function seatsOf(config: Config): SubscriberSlots {
  return new SubscriberSlots({
    perClient: config.maxSubscribersPerClient,
    inAll: config.maxSubscribers,
    countsLocal: config.given.has('MAX_SUBSCRIBERS_PER_CLIENT'),
  })
}

function egressOf(config: Config, replaced: Pick<ContextOptions, 'lookup' | 'own'>): Egress {
  return new Egress({
    allowHosts: config.allowHosts ?? [],
    isOpen: isLocalOnly(config),
    proxies: config.upstreamProxy && { ...config.upstreamProxy, bypass: config.upstreamNoProxy ?? [] },
    ...replaced,
  })
}

import { planSchedules } from '../jobs/schedules.ts'
import { startWorkers, workerName } from '../jobs/workers.ts'
import { version } from '../package.json'
import { createApp } from './app.ts'
import type { Config } from './config.ts'
import { Hub } from './hub/hub.ts'
import { streamControl } from './queue/control.ts'
import { SCHEDULES_QUEUE, STREAMS_QUEUE } from './queue/names.ts'
import { openQueueEngine } from './queue/open.ts'
import { LivePages } from './routes/live-pages.tsx'
import { openStorage } from './storage/open.ts'
import { entryJson } from './streams/entry.ts'
import { reconcile } from './streams/health.ts'
import { expectationOf, Holder } from './streams/holder.ts'
import { Recorder } from './streams/recorder.ts'
import { Streams } from './streams/streams.ts'
import { entriesTopic } from './topics.ts'
import { Topology } from './topology/topology.ts'

/** A running Weir. */
export interface Weir {
  /** Where it listens. */
  readonly url: string
  /** Where data and jobs lie, for people. */
  readonly description: string
  /** Lets go of every stream, then closes everything. */
  close(): Promise<void>
}

/** Told of faults that no caller hears about. */
export type Warn = (message: string, error?: unknown) => void

/** Puts the parts together; `close` takes them apart in reverse. */
export async function startWeir(config: Config, warn: Warn): Promise<Weir> {
  const closers: (() => unknown)[] = []
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end()
  }
  try {
    const storage = await openStorage(config)
    closers.push(() => storage.close())
    const engine = await openQueueEngine(config.redisUrl, storage)
    const queue = engine.queue(STREAMS_QUEUE)
    const schedules = engine.queue(SCHEDULES_QUEUE)
    for (const each of [queue, schedules]) {
      each.on('error', (error) => warn(error.message))
      closers.push(() => each.close())
    }

    const { db } = storage
    const now = Date.now
    const limits = config
    const worker = workerName()
    const hub = new Hub()
    closers.push(() => hub.close())
    const recorder: Recorder = new Recorder(db, (run) => expectationOf(run, limits, now()), {
      stored(entries) {
        for (const entry of entries) {
          const topic = entriesTopic(entry.streamId)
          if (hub.has(topic))
            hub.publish(topic, { event: 'entry', data: entryJson(entry), position: entry.seq })
        }
        pages.stored(entries)
      },
      changed: (ids) => pages.changed(ids),
      failing: (error, waiting) => warn(`Can't store, ${waiting} entries wait: ${error.message}`),
    })
    closers.push(() => recorder.close())
    const holder = new Holder({ db, recorder, worker, limits, now, random: Math.random })
    const status = { db, limits, now, heldRun: (id: string) => holder.run(id) }
    const pages = new LivePages({ ...status, hub, warn })
    closers.push(() => pages.close())
    const control = streamControl({
      queue,
      interrupt: (id) => holder.interrupt(id),
      changed: (ids) => pages.changed(ids),
      listed: () => pages.listed(),
    })
    const streams = new Streams({ db, control, limits })
    const topology = new Topology({ hub })

    const app = await createApp({
      ...status,
      streams,
      topology,
      hub,
      pages,
      queues: [queue, schedules],
      token: config.token,
      version,
      warn,
    })
    const server = Bun.serve({
      port: config.port,
      hostname: config.host,
      // By default a second server on the port would silently take half of the traffic.
      reusePort: false,
      idleTimeout: 60,
      fetch: (request, server) => {
        app.server = server
        return app.fetch(request)
      },
    })
    closers.push(() => server.stop(true))

    closers.push(
      await startWorkers({
        ...status,
        engine,
        holder,
        control,
        worker,
        warn,
        streamsPerWorker: config.streamsPerWorker,
      }),
    )
    await planSchedules(schedules)
    await reconcile(db, control, now())

    const host = config.host === '127.0.0.1' ? 'localhost' : config.host
    return {
      url: `http://${host}:${server.port}`,
      description: `Data: ${storage.description}. Jobs: ${engine.description}.`,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

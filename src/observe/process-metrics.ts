import { readdirSync, readFileSync } from 'node:fs'
import { counter, gauge, histogram, LabelledHistogram, type MetricFamily } from './metrics.ts'

/** How often the event loop delay is measured, in milliseconds. */
const LOOK_EVERY_MS = 500
/** In seconds: below the first nobody notices, and beyond the last others take over the streams. */
const DELAY_BUCKETS = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
/** Per second. */
const MICROS = 1_000_000

/** Resource usage of the process, under the standard names of Prometheus clients. */
export class ProcessMetrics {
  readonly #delay = new LabelledHistogram(DELAY_BUCKETS)
  readonly #timer: Timer
  readonly #startedAt: number

  constructor() {
    this.#startedAt = (performance.timeOrigin || Date.now()) / 1_000
    let due = performance.now() + LOOK_EVERY_MS
    this.#timer = setInterval(() => {
      const now = performance.now()
      this.#delay.observe({}, Math.max(0, now - due) / 1_000)
      due = now + LOOK_EVERY_MS
    }, LOOK_EVERY_MS)
    this.#timer.unref()
  }

  *families(): Iterable<MetricFamily> {
    const { user, system } = process.cpuUsage()
    const { rss, heapUsed } = process.memoryUsage()
    yield counter(
      'process_cpu_seconds_total',
      'Total CPU time of the process, in seconds.',
      (user + system) / MICROS,
    )
    yield gauge('process_resident_memory_bytes', 'Resident memory of the process.', rss)
    yield gauge('weir_heap_used_bytes', 'JavaScript heap in use.', heapUsed)
    yield gauge('process_start_time_seconds', 'Start time of the process, as Unix time.', this.#startedAt)
    const [open, most] = [openFiles(), mostFiles()]
    if (open !== undefined)
      yield gauge('process_open_fds', 'Open file descriptors, including connections.', open)
    if (most !== undefined) yield gauge('process_max_fds', 'Maximum number of open file descriptors.', most)
    yield histogram(
      'weir_event_loop_delay_seconds',
      'Event loop delay, measured with a timer that fires twice a second.',
      this.#delay,
    )
  }

  close(): void {
    clearInterval(this.#timer)
  }
}

/** Undefined if the system doesn't report it, as on anything but Linux. */
function openFiles(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return undefined
  }
}

function mostFiles(): number | undefined {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
    return line === null ? undefined : Number(line[1])
  } catch {
    return undefined
  }
}

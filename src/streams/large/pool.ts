import type { Job, JobAnswers } from './jobs.ts'

/** A worker without an answer for this long is terminated and replaced. Milliseconds. */
const DEADLINE_MS = 10_000
/** A worker that is idle for this long is terminated to free its memory. Milliseconds. */
const IDLE_MS = 30_000
/** Bytes and characters of queued jobs, beyond the first; at the bound, jobs are refused. */
const MAX_WAITING_BYTES = 268_435_456

/** A message from a worker. */
export interface WorkerMessage {
  answer?: JobAnswers[Job['kind']]
  isDone?: boolean
  failure?: string
}

/** The part of `Worker` that the pool uses. */
export interface WorkerLike {
  onmessage: ((event: MessageEvent<WorkerMessage>) => unknown) | null
  onerror: ((event: ErrorEvent) => unknown) | null
  postMessage(job: Job, transfer: ArrayBuffer[]): void
  terminate(): void
}

export interface PoolOptions {
  start(): WorkerLike
  /** Maximum workers at a time; they are started on demand. */
  workers: number
  deadlineMs?: number
  idleMs?: number
  maxWaitingBytes?: number
}

/** The result of a job: its answers, and whether they are complete. */
export interface JobOutcome<A> {
  answers: A[]
  /** Why something is missing; omitted if nothing is. */
  failure?: string
}

interface Order {
  job: Job
  bytes: number
  signal: AbortSignal | undefined
  answers: JobAnswers[Job['kind']][]
  end(failure?: string): void
}

/** A few workers, and the queue of jobs for them. */
export class WorkerPool {
  readonly #options: Required<PoolOptions>
  #idle: { worker: WorkerLike; timer: Timer }[] = []
  readonly #busy = new Map<WorkerLike, { order: Order; timer: Timer }>()
  #waiting: Order[] = []
  #waitingBytes = 0
  #isClosed = false

  constructor(options: PoolOptions) {
    this.#options = {
      deadlineMs: DEADLINE_MS,
      idleMs: IDLE_MS,
      maxWaitingBytes: MAX_WAITING_BYTES,
      ...options,
    }
  }

  /** Workers that are running. */
  get size(): number {
    return this.#idle.length + this.#busy.size
  }

  /**
   * Runs a job. Its bytes are transferred to the worker.
   * @param bytes about how much memory it takes
   * @throws the signal's reason if it aborts first
   */
  run<J extends Job>(
    job: J,
    bytes: number,
    signal?: AbortSignal,
  ): Promise<JobOutcome<JobAnswers[J['kind']]>> {
    const { promise, resolve, reject } = Promise.withResolvers<JobOutcome<JobAnswers[J['kind']]>>()
    const onAbort = () => reject(signal?.reason)
    const answers: JobAnswers[J['kind']][] = []
    const end = (failure?: string) => {
      signal?.removeEventListener('abort', onAbort)
      resolve({ answers, failure })
    }
    signal?.throwIfAborted()
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#take({ job, bytes, signal, answers, end })
    return promise
  }

  /** Terminates all workers at once. */
  close(): void {
    this.#isClosed = true
    for (const { worker, timer } of this.#idle.splice(0)) {
      clearTimeout(timer)
      worker.terminate()
    }
    for (const worker of [...this.#busy.keys()]) this.#dismiss(worker, 'the process is shutting down')
    for (const order of this.#waiting.splice(0)) order.end('the process is shutting down')
  }

  #take(order: Order): void {
    const isFull =
      this.#waiting.length > 0 && this.#waitingBytes + order.bytes > this.#options.maxWaitingBytes
    if (this.#isClosed) order.end('the process is shutting down')
    else if (this.#busy.size < this.#options.workers) this.#give(order)
    else if (isFull) order.end('too much work is queued')
    else {
      this.#waiting.push(order)
      this.#waitingBytes += order.bytes
    }
  }

  #give(order: Order): void {
    const worker = this.#hire()
    this.#busy.set(worker, { order, timer: this.#deadline(worker) })
    const { job } = order
    worker.postMessage(job, buffersOf(job))
  }

  #hire(): WorkerLike {
    const idle = this.#idle.pop()
    if (idle !== undefined) {
      clearTimeout(idle.timer)
      return idle.worker
    }
    const worker = this.#options.start()
    worker.onmessage = ({ data }) => this.#heard(worker, data)
    worker.onerror = ({ message }) => this.#dismiss(worker, message)
    return worker
  }

  #deadline(worker: WorkerLike): Timer {
    const { deadlineMs } = this.#options
    return setTimeout(() => this.#dismiss(worker, `it takes longer than ${deadlineMs} ms`), deadlineMs)
  }

  #heard(worker: WorkerLike, { answer, isDone, failure }: WorkerMessage): void {
    const busy = this.#busy.get(worker)
    if (busy === undefined) return
    if (answer !== undefined) busy.order.answers.push(answer)
    clearTimeout(busy.timer)
    if (!isDone) {
      busy.timer = this.#deadline(worker)
      return
    }
    this.#busy.delete(worker)
    this.#rest(worker)
    busy.order.end(failure)
    this.#next()
  }

  #rest(worker: WorkerLike): void {
    const timer = setTimeout(() => {
      this.#idle = this.#idle.filter((idle) => idle.worker !== worker)
      worker.terminate()
    }, this.#options.idleMs)
    timer.unref()
    this.#idle.push({ worker, timer })
  }

  /** Terminates a worker; another one is started for queued jobs. */
  #dismiss(worker: WorkerLike, failure: string): void {
    const busy = this.#busy.get(worker)
    this.#busy.delete(worker)
    this.#idle = this.#idle.filter((idle) => idle.worker !== worker)
    worker.terminate()
    if (busy === undefined) return
    clearTimeout(busy.timer)
    busy.order.end(failure)
    this.#next()
  }

  #next(): void {
    while (!this.#isClosed && this.#busy.size < this.#options.workers) {
      const order = this.#waiting.shift()
      if (order === undefined) return
      this.#waitingBytes -= order.bytes
      // The caller has given up.
      if (!order.signal?.aborted) this.#give(order)
    }
  }
}

/** Buffers that are transferred with a job instead of being copied. */
function buffersOf(job: Job): ArrayBuffer[] {
  if ('body' in job) return [job.body.buffer]
  return 'content' in job && typeof job.content !== 'string' ? [job.content.buffer] : []
}

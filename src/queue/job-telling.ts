/** What the board shows of a job beside what BullMQ knows: the queue itself has only IDs. */
export interface ToldJob {
  name: string
  /** `page` is the path of the page of what the job is about. */
  data: Readonly<Record<string, unknown>> & { page?: string }
  progress?: Record<string, unknown>
  /** Attempts in a row that failed; Weir itself makes the next one, not BullMQ. */
  attempts: number
  /** Why the last attempt failed, if the job is failing. */
  failure?: string
}

/** A worker process, as its heartbeat says. */
export interface ToldWorker {
  name: string
  /** Since its start, in seconds. */
  ageSeconds: number
}

/** Tells about jobs when somebody looks at them, so that nothing has to be written to the queue meanwhile. */
export interface JobTelling {
  /** By queue and job; those that may not be shown, or are gone, are left out. */
  jobs(queue: string, ids: readonly string[]): Promise<ReadonlyMap<string, ToldJob>>
  /** Lines about a job, oldest first; undefined if the queue's own are all there is. */
  log(queue: string, id: string): Promise<string[] | undefined>
  workers(): Promise<ToldWorker[]>
}

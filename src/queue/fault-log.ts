/** A fault that lasts is logged this often, in milliseconds: the queue tries again many times a second. */
const REPEAT_MS = 5_000

/** Logs faults of a queue or a worker, each one only now and then while it lasts. */
export function faultLog(warn: (message: string) => void, now: () => number = Date.now) {
  let last = { message: '', at: Number.NEGATIVE_INFINITY }
  return ({ message }: Error): void => {
    if (message === last.message && now() - last.at < REPEAT_MS) return
    last = { message, at: now() }
    warn(`The queue of jobs doesn't respond: ${message}`)
  }
}

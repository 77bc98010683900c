import type { JobsOptions, Queue } from 'bullmq'
import type { DeliveryControl, Queued } from '../channels/notifier.ts'
import { causeOf } from '../errors.ts'

/**
 * A delivery's job: identified by the delivery's ID, so that there is never a second one; removed when it ends. It contains
 * only IDs, because the board shows its data. The queue doesn't retry a failed one: the table knows when it is due.
 */
const DELIVERY_JOB: JobsOptions = { removeOnComplete: true, removeOnFail: true }

/** Hands deliveries to the workers. No caller waits for the queue, which may be unreachable. */
export function deliveryControl(queue: Promise<Queue>, warn: (message: string) => void): DeliveryControl {
  const failed = (error: unknown) => warn(`Deliveries can't be queued yet: ${causeOf(error)}`)
  return {
    deliverLater(list) {
      queue.then((opened) => opened.addBulk(jobsOf(list))).catch(failed)
    },
    deliverAgain(list) {
      // An active one stays: it reads the table itself.
      queue
        .then(async (opened) => {
          await Promise.all(list.map(({ id }) => opened.remove(id)))
          await opened.addBulk(jobsOf(list))
        })
        .catch(failed)
    },
  }
}

function jobsOf(list: readonly Queued[]) {
  return list.map(({ id, channelId }) => ({
    name: 'deliver',
    data: { channelId },
    opts: { ...DELIVERY_JOB, jobId: id },
  }))
}

import type { JobsOptions, Queue } from 'bullmq'
import type { DeliveryControl, Queued } from '../channels/notifier.ts'
import { causeOf } from '../errors.ts'

/**
 * A delivery's job: known by the delivery's id, so that there is never a second one; gone when it ends. It holds no
 * more than ids: the board shows what is in it. One that fails is not tried again by the queue: the table knows that
 * it is due.
 */
const DELIVERY_JOB: JobsOptions = { removeOnComplete: true, removeOnFail: true }

/**
 * Hands deliveries to the workers. Nobody waits for the queue: it may be away.
 * @param touched told that deliveries were stored
 */
export function deliveryControl(
  queue: Promise<Queue>,
  warn: (message: string) => void,
  touched: () => void,
): DeliveryControl {
  const failed = (error: unknown) => warn(`Deliveries can't be queued yet: ${causeOf(error)}`)
  return {
    deliverLater(list) {
      touched()
      queue.then((opened) => opened.addBulk(jobsOf(list))).catch(failed)
    },
    deliverAgain(list) {
      touched()
      // One that is active stays: it looks at the table itself.
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

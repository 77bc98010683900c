/** The queue whose jobs each hold one stream, and the queue of everything that runs on a schedule. */
export const STREAMS_QUEUE = 'streams'
export const SCHEDULES_QUEUE = 'schedules'

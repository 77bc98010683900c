/** The queue whose jobs each hold one stream, and the queue of everything that runs on a schedule. */
export const STREAMS_QUEUE = 'streams'
export const SCHEDULES_QUEUE = 'schedules'
/** The queue whose jobs each send one message to one channel, until it is there. */
export const DELIVERIES_QUEUE = 'deliveries'
/** The queue whose one job archives closed days. */
export const ARCHIVE_QUEUE = 'archive'

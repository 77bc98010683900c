/** The queue whose jobs each run one stream, and the queue of everything that runs on a schedule. */
export const STREAMS_QUEUE = 'streams'
export const SCHEDULES_QUEUE = 'schedules'
/** The queue whose jobs each deliver one message to one channel. */
export const DELIVERIES_QUEUE = 'deliveries'
/** The queue whose one job archives closed days. */
export const ARCHIVE_QUEUE = 'archive'

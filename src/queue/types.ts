/**
 * The interface of the queues, and the database that BullMQ needs. Only this folder and `jobs` import BullMQ itself.
 */
export type { PgPool, PgPoolClient, Queue } from 'bullmq'

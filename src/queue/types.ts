/** What others hold of the queues, and what BullMQ needs of a database: only this folder and `jobs` import BullMQ itself. */
export type { PgPool, PgPoolClient, Queue } from 'bullmq'

/**
 * Weir's advisory locks in its database, which are numbers: a lock excludes everyone else who requests it, in every
 * process. Each has one purpose.
 * @see https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
 */
export const LOCKS = {
  /** Migrating the schema. */
  migration: 0x77656972,
  /** Registering streams, whose number is limited. */
  registration: 7_743_001,
  /** One evaluation of incidents. */
  evaluation: 7_743_002,
  /** Sending notifications of incidents. */
  notification: 7_743_003,
  /** Creating and dropping partitions. */
  partitions: 7_743_004,
} as const

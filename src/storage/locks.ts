/**
 * Weir's names among the advisory locks of its database, which are numbers: whoever takes one keeps out all others that
 * take the same, in every process. Each stands for one thing.
 * @see https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
 */
export const LOCKS = {
  /** Bringing the schema up to date. */
  migration: 0x77656972,
  /** Registering streams, which are bounded in number. */
  registration: 7_743_001,
  /** One evaluation of incidents. */
  evaluation: 7_743_002,
  /** Notifying people of incidents. */
  notification: 7_743_003,
  /** Making and dropping partitions. */
  partitions: 7_743_004,
} as const

/** The result of one check of `weir doctor`. */
export interface Finding {
  check: string
  /** `warning`: Weir runs, but not well. `error`: it doesn't run, or loses data. */
  status: 'ok' | 'warning' | 'error'
  /** What was found, and what to do if it's wrong. */
  detail: string
  /** Measured values; each name ends in its unit. */
  measured?: Readonly<Record<string, number>>
}

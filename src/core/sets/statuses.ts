/** What a status means for a stream. */
interface StatusFacts {
  /** Higher is worse. Lists sort by it, and a combined node of the topology has the worst status of its members. */
  severity: number
  /**
   * How incidents treat it. `up`: working; `connecting`: working once connected; `degraded`: working in part; `failing`:
   * failing only recently; `down`: failing and needs action; `resting`: not supposed to run.
   */
  standing: 'up' | 'connecting' | 'degraded' | 'failing' | 'down' | 'resting'
  /** Shown with the color, because color alone isn't accessible. */
  mark: string
  /** Text colors on the console's dark and light pages. */
  color: { dark: string; light: string }
  /** Terminal style, as in `styleText` of `node:util`. */
  terminal: ('bold' | 'dim' | 'green' | 'cyan' | 'yellow' | 'red' | 'magenta')[]
  /** In a sentence: "2 streams are …". */
  label: string
  description: string
}

/** The statuses that Weir gives a stream, in the order in which they are listed and counted. */
export const STATUS = {
  live: {
    severity: 10,
    standing: 'up',
    mark: '●',
    color: { dark: '#2ee6a6', light: '#0b6b4a' },
    terminal: ['green'],
    label: 'live',
    description: 'Events arrive, or polls are answered.',
  },
  quiet: {
    severity: 20,
    standing: 'connecting',
    mark: '○',
    color: { dark: '#6fb8ff', light: '#1b5c9e' },
    terminal: ['cyan'],
    label: 'quiet',
    description:
      'Starting, connecting, waiting for the first poll, or connected with no event yet or none for 5 min.',
  },
  degraded: {
    severity: 25,
    standing: 'degraded',
    mark: '◒',
    color: { dark: '#f0a8ff', light: '#7a2a8c' },
    terminal: ['magenta'],
    label: 'degraded',
    description: 'Too many polls or connections fail, but not all of them.',
  },
  stalled: {
    severity: 40,
    standing: 'down',
    mark: '◐',
    color: { dark: '#ffb454', light: '#8a4b00' },
    terminal: ['bold', 'yellow'],
    label: 'stalled',
    description: 'No byte for too long, polls are late, or no worker runs it.',
  },
  'backing-off': {
    severity: 30,
    standing: 'failing',
    mark: '↻',
    color: { dark: '#ffd166', light: '#735500' },
    terminal: ['yellow'],
    label: 'backing off',
    description: 'The last attempts failed, not for long; retried with backoff.',
  },
  dead: {
    severity: 50,
    standing: 'down',
    mark: '✕',
    color: { dark: '#ff5c7a', light: '#b3123a' },
    terminal: ['bold', 'red'],
    label: 'dead',
    description: 'Failed several times in a row, and for long enough; still retried.',
  },
  stopped: {
    severity: 0,
    standing: 'resting',
    mark: '■',
    color: { dark: '#93a9b0', light: '#4a6067' },
    terminal: ['dim'],
    label: 'stopped',
    description: 'Stopped on request, or idle without subscribers.',
  },
} as const satisfies Record<string, StatusFacts>

export type Status = keyof typeof STATUS
export const STATUSES = Object.keys(STATUS) as Status[]

export const WORST_FIRST: readonly Status[] = STATUSES.toSorted(
  (a, b) => STATUS[b].severity - STATUS[a].severity,
)

/** Statuses that need attention, the worst first. */
export const IN_TROUBLE = WORST_FIRST.filter((status) => isInTrouble(status))
/** Statuses that need action, the worst first; others may recover on their own. */
export const DOWN = withStanding('down')

export function isInTrouble(status: Status): boolean {
  const { standing } = STATUS[status]
  return standing === 'down' || standing === 'failing' || standing === 'degraded'
}

/** The statuses with a standing, the worst first. */
export function withStanding(standing: StatusFacts['standing']): Status[] {
  return WORST_FIRST.filter((status) => STATUS[status].standing === standing)
}

/** A Postgres array as text: the statuses by severity, the worst last. */
export const SEVERITY_ARRAY = `{${WORST_FIRST.toReversed().join(',')}}`

/** A status as mark and word. */
export function statusLabel(status: Status): string {
  return `${STATUS[status].mark} ${status}`
}
